import { describe, expect, it } from 'vitest';
import type { Lockfile } from '../../src/lock/lockfile.ts';
import { changeReport, reportJson, reportMarkdown } from '../../src/refresh/change-report.ts';
import { importRows } from '../../src/refresh/import-test.ts';

/** A lockfile of packages, each `KIND NAME VERSION`. */
function lock(...packages: readonly string[]): Lockfile {
  const artifacts = packages.map((text) => {
    const [kind, name, version] = text.split(' ');
    return { kind, name, version, digest: `sha256:${text}` };
  });
  const target = {
    debs: artifacts.filter(({ kind }) => kind === 'deb'),
    wheels: artifacts.filter(({ kind }) => kind === 'wheel'),
  };
  // Of the other members nothing is asked.
  return Object.assign(Object.create(null), { recipe: { name: 'toy' }, targets: new Map([['amd64', target]]) });
}

function stepsOf(before: readonly string[], after: readonly string[]): readonly string[] {
  const [one] = changeReport(lock(...before), lock(...after)).architectures;
  return (one?.changes ?? []).map(({ name, change, step }) => `${name} ${change} ${step ?? '-'}`);
}

describe('changeReport()', () => {
  it.each([
    ['wheel', '1.2.3', '2.0', 'upgraded major'],
    ['wheel', '1.2.3', '1.3', 'upgraded minor'],
    ['wheel', '1.2.3', '1.2.4', 'upgraded patch'],
    ['wheel', '1.2', '1.2.post1', 'upgraded patch'],
    ['wheel', '2024.1', '1!1.0', 'upgraded major'],
    ['wheel', '1.10', '1.9', 'downgraded minor'],
    ['deb', '2.41-12', '2.41-12+deb13u1', 'upgraded patch'],
    ['deb', '2.41-12', '2.42-1', 'upgraded minor'],
    ['deb', '1:1.3.dfsg+really1.3.1-1', '2:1.3.1-1', 'upgraded major'],
    ['deb', '3.5.1-1', '3.5.2-1', 'upgraded patch'],
    ['deb', '1.0~rc1-1', '1.0-1', 'upgraded patch'],
  ])('knows how far a %s went from %s to %s', (kind, before, after, expected) => {
    expect(stepsOf([`${kind} a ${before}`], [`${kind} a ${after}`])).toEqual([`a ${expected}`]);
  });

  it('tells what came, went and changed, and nothing of what stayed', () => {
    const before = ['wheel same 1', 'wheel gone 1', 'deb up 1'];
    const after = ['wheel same 1', 'wheel new 3', 'deb up 2'];
    expect(stepsOf(before, after)).toEqual(['gone removed -', 'new added -', 'up upgraded major']);
    expect(changeReport(lock(...before), lock(...before)).architectures).toEqual([]);
  });

  it('is a table for people and plain data for machines', () => {
    const report = changeReport(lock('wheel a|b 1.0'), lock('wheel a|b 1.1', 'deb <b> 2'));
    expect(reportMarkdown(report)).toBe(`# toy: 2 changes

## amd64

| package | kind | change | before | after | step |
| --- | --- | --- | --- | --- | --- |
| \\<b\\> | deb | added |  | 2 |  |
| a\\|b | wheel | upgraded | 1.0 | 1.1 | minor |
`);
    expect(reportJson(report)).toMatchObject({
      name: 'toy',
      architectures: [{ architecture: 'amd64', changes: [{ name: '<b>', before: null }, { step: 'minor' }] }],
    });
    expect(reportMarkdown(changeReport(lock(), lock()))).toBe('# toy: nothing new\n');
  });
});

describe('a report of built images', () => {
  const image = {
    size: { before: 10 * 1024 ** 2, after: 9 * 1024 ** 2 },
    libraries: ['libx.so.1'],
    licences: [
      { name: 'a', before: 'MIT', after: 'GPL-3.0-only' },
      { name: 'b', before: undefined, after: 'unknown' },
    ],
    calls: ['io_uring_setup'],
  };
  const [changed] = changeReport(lock('wheel a 1.0'), lock('wheel a 2.0')).architectures;
  if (changed === undefined) throw new Error('nothing has changed');

  it('tells what else is new, to people and machines', () => {
    const report = { name: 'toy', architectures: [{ ...changed, image }] };
    expect(reportMarkdown(report).split('\n').slice(-5)).toEqual([
      '- size: 10 MiB → 9 MiB (-1 MiB)',
      '- new native libraries: libx.so.1',
      '- licences: a: MIT → GPL-3.0-only; b (new): unknown',
      String.raw`- system calls that were denied for the first time: io\_uring\_setup`,
      '',
    ]);
    expect(Object(reportJson(report)).architectures[0].image).toEqual({
      size: image.size,
      native_libraries: image.libraries,
      licences: [
        { name: 'a', before: 'MIT', after: 'GPL-3.0-only' },
        { name: 'b', before: null, after: 'unknown' },
      ],
      system_calls: image.calls,
    });
  });

  it('says nothing of what stays', () => {
    const same = { size: { before: 1024, after: 1024 }, libraries: [], licences: [], calls: [] };
    const text = reportMarkdown({ name: 'toy', architectures: [{ ...changed, changes: [], image: same }] });
    expect(text.split('\n').slice(4)).toEqual(['The same packages.', '', '- size: 1 KiB → 1 KiB (+0 B)', '']);
  });
});

function answer(stdout: string, status: 'ok' | 'oom' = 'ok'): unknown {
  return importRows({ status, stdout });
}

describe('importRows()', () => {
  it('believes an answer that is whole, and no other', () => {
    expect(answer('done\n')).toEqual([]);
    expect(answer('a\ta\t\nb\tb.c\tImportError: \u001B[31mno\ndone\n')).toEqual([
      { distribution: 'a', module: 'a', error: '' },
      { distribution: 'b', module: 'b.c', error: 'ImportError: ?[31mno' },
    ]);
    for (const text of ['', 'a\ta\t\n', 'done', 'done\nmore\n']) expect(answer(text)).toBeUndefined();
    expect(answer('done\n', 'oom')).toBeUndefined();
  });
});
