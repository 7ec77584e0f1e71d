import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeArtifacts, type MergePart } from '../../src/assemble/merge-tree.ts';
import type { Entry } from '../../src/assemble/tree.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { digestOf } from '../../src/base/digest.ts';
import { parentOf } from '../../src/base/image-path.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';

const OWNER = { mode: 0o644, uid: 0, gid: 0, mtime: 1, origin: 'test' };

function file(path: string, content = ''): Entry {
  return { ...OWNER, kind: 'file', path, size: content.length, digest: digestOf(content) };
}

function link(path: string, target: string): Entry {
  return { ...OWNER, kind: 'symlink', path, target };
}

function hardLink(path: string, target: string): Entry {
  return { ...OWNER, kind: 'hardlink', path, target };
}

function folder(path: string, mode = 0o755): Entry {
  return { ...OWNER, kind: 'directory', path, mode };
}

function part(name: string, entries: readonly Entry[], replaces: MergePart['replaces'] = []): MergePart {
  return { name, version: '1.0', entries, replaces };
}

/** A line an entry: `path kind target-or-digest`. */
function listed(parts: readonly MergePart[]): readonly string[] {
  return [...mergeArtifacts(parts).values()].map((entry) => {
    const detail = 'target' in entry ? entry.target : entry.kind === 'file' ? entry.digest.slice(7, 11) : '';
    return `${entry.path} ${entry.kind} ${detail}`.trim();
  });
}

const X = digestOf('x').slice(7, 11);
const Y = digestOf('y').slice(7, 11);

describe('mergeArtifacts()', () => {
  it('shares folders and equal files, and makes missing parents', () => {
    const parts = [part('a', [folder('usr'), file('usr/x', 'x')]), part('b', [file('usr/x', 'x'), file('etc/y', 'y')])];
    expect(listed(parts)).toEqual(['etc directory', `etc/y file ${Y}`, 'usr directory', `usr/x file ${X}`]);
  });

  it('names path and both packages when they bring different things', () => {
    const parts = [part('b', [file('z', 'x'), file('x', 'x')]), part('a', [link('z', 'x'), file('x', 'y')])];
    expect(() => mergeArtifacts(parts)).toThrow(
      expect.objectContaining({
        code: 'E_FILE_CONFLICT',
        message: '/x: `a 1.0` and `b 1.0` bring different things for it',
        problems: [expect.anything(), expect.objectContaining({ message: expect.stringContaining('/z: ') })],
      }),
    );
  });

  it('lets a package take over the files of one that it replaces, by version, but not of both at once', () => {
    const a = [file('x', 'x')];
    const b = [file('x', 'y')];
    expect(listed([part('a', a), part('b', b, [{ name: 'a' }])])).toEqual([`x file ${Y}`]);
    const older = [{ name: 'a', operator: '<<', version: '0.9' }];
    expect(() => listed([part('a', a), part('b', b, older)])).toThrow(RootcellarError);
    expect(() => listed([part('a', a, [{ name: 'b' }]), part('b', b, [{ name: 'a' }])])).toThrow(RootcellarError);
  });

  it("lets the recipe's own files win over everything", () => {
    const parts = [part('a', [file('x', 'x')]), part('b', [file('x', 'z')]), part('r', [file('x', 'y')], 'everything')];
    expect(listed(parts)).toEqual([`x file ${Y}`]);
  });

  it('refuses a file where another package has a folder', () => {
    expect(() => listed([part('a', [file('x')]), part('b', [file('x/y')])])).toThrow(
      '/x: `a 1.0` and `b 1.0` bring different things for it',
    );
  });

  it('sends entries behind a link of another package to where it leads', () => {
    const parts = [
      part('a', [link('lib', 'usr/lib'), link('usr/lib/new', '../../../opt/./n')]),
      part('b', [folder('lib'), file('lib/new/x', 'x'), link('lib/old', 'new')]),
      part('c', [file('lib/old/y', 'y')]),
    ];
    const absolute = [part('a', [link('usr/share/l', '/etc/./d')]), part('b', [file('usr/share/l/x', 'x')])];
    expect(listed(absolute)).toContain(`etc/d/x file ${X}`);
    const found = listed(parts);
    expect(found).toContain(`opt/n/x file ${X}`);
    expect(found).toContain(`opt/n/y file ${Y}`);
    expect(found).toContain('usr/lib/old symlink new');
    expect(found.filter((line) => line.startsWith('lib/'))).toEqual([]);
  });

  it('refuses links in a circle only where something lies behind them', () => {
    const circle = [link('a', 'b'), link('b', 'a')];
    expect(listed([part('p', circle)])).toEqual(['a symlink b', 'b symlink a']);
    expect(() => listed([part('p', circle), part('q', [file('a/x')])])).toThrow('links that lead in a circle');
  });

  it('keeps the rest of a hard-linked group together when another package takes its first path', () => {
    const group = [file('a', 'x'), hardLink('b', 'a'), hardLink('c', 'a')];
    const parts = [part('p', group), part('q', [file('a', 'y')], [{ name: 'p' }])];
    expect(listed(parts)).toEqual([`a file ${Y}`, `b file ${X}`, 'c hardlink b']);
  });

  it('gives the same tree for any order of packages, with every parent a folder', () => {
    const names = fc.constantFrom('a', 'b', 'c');
    const path = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const target = fc
      .array(fc.constantFrom('a', 'b', 'c', '..'), { minLength: 1, maxLength: 3 })
      .map((to) => to.join('/'));
    const entry = fc.oneof(
      path.map((at) => folder(at)),
      fc.tuple(path, fc.constantFrom('x', 'y')).map(([at, content]) => file(at, content)),
      fc.tuple(path, target).map(([at, to]) => link(at, to)),
    );
    const entries = fc.uniqueArray(entry, { selector: (one) => one.path, maxLength: 3 });
    const packages = fc.uniqueArray(fc.tuple(fc.constantFrom('p', 'q', 'r', 's'), entries), {
      selector: ([name]) => name,
    });
    const shuffled = packages.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    let merged = 0;
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        const first = outcome(one.map(([name, list]) => part(name, list)));
        expect(outcome(other.map(([name, list]) => part(name, list)))).toEqual(first);
        if (typeof first === 'string') return;
        merged += 1;
        const kinds = new Map(first.map(({ path: at, kind }) => [at, kind]));
        for (const at of kinds.keys())
          expect(parentOf(at) === '' ? 'directory' : kinds.get(parentOf(at))).toBe('directory');
        expect([...kinds.keys()]).toEqual([...kinds.keys()].toSorted(byteOrder));
      }),
      { numRuns: 3000 },
    );
    expect(merged).toBeGreaterThan(500);
  });
});

/** The entries, or what is wrong. */
function outcome(parts: readonly MergePart[]): readonly Entry[] | string {
  try {
    return [...mergeArtifacts(parts).values()];
  } catch (error) {
    if (error instanceof RootcellarError) return error.message;
    throw error;
  }
}
