import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import type { Entry } from '../../src/assemble/tree.ts';
import { applyLayers, type Layer } from '../../src/publish/apply-layers.ts';
import { readNotes, unpackLayer } from '../../src/publish/layer-reader.ts';
import { memoryStore, rawTar, type RawTarMember } from '../assemble/raw-archives.ts';

/** A layer of these members, as it comes out of its tar. */
async function layer(title: string, ...members: readonly RawTarMember[]): Promise<Layer> {
  const { entries, metadata } = await unpackLayer({
    source: memorySource(rawTar(members)),
    name: title,
    sink: memoryStore(),
  });
  return { title, entries, ...readNotes(metadata) };
}

function file(name: string, content = name): RawTarMember {
  return { name, content };
}
function folder(name: string): RawTarMember {
  return { name: `${name}/`, type: '5' };
}
function link(name: string, target: string): RawTarMember {
  return { name, type: '2', target };
}
function hardLink(name: string, target: string): RawTarMember {
  return { name, type: '1', target };
}

function shown(entry: Entry): string {
  if (entry.kind === 'symlink') return `${entry.path} -> ${entry.target}`;
  if (entry.kind === 'hardlink') return `${entry.path} = ${entry.target}`;
  return entry.kind === 'directory' ? `${entry.path}/` : `${entry.path} ${entry.size}`;
}

async function together(...layers: readonly Promise<Layer>[]): Promise<readonly string[]> {
  return [...applyLayers(await Promise.all(layers)).values()].map(shown);
}

describe('applyLayers()', () => {
  it('puts what is above over what is below', async () => {
    const below = layer('1', folder('a'), file('a/x', '1'), file('a/y', '1'));
    expect(await together(below, layer('2', file('a/x', '222')))).toEqual(['a/', 'a/x 3', 'a/y 1']);
  });

  it('removes what a whiteout names, with all below it, of the layers below alone', async () => {
    const below = layer('1', folder('a'), file('a/x'), folder('b'), folder('b/c'), file('b/c/x'), file('bc'));
    const above = layer('2', { name: 'a/.wh.x' }, { name: '.wh.b' }, folder('b'), file('b/new'));
    expect(await together(below, above)).toEqual(['a/', 'b/', 'b/new 5', 'bc 2']);
  });

  it('empties an opaque folder, whatever the order in the tar', async () => {
    const below = layer('1', folder('a'), file('a/x'), folder('a/b'), file('a/b/y'));
    const above = layer('2', file('a/new'), { name: 'a/.wh..wh..opq' });
    expect(await together(below, above)).toEqual(['a/', 'a/new 5']);
    expect(await together(below, layer('2', { name: '.wh..wh..opq' }, file('only')))).toEqual(['only 4']);
  });

  it('puts a file in the place of a folder, and a folder in that of a link', async () => {
    const below = layer('1', folder('a'), file('a/x'), link('l', 'a'));
    expect(await together(below, layer('2', file('a', '1'), folder('l'), file('l/y')))).toEqual(['a 1', 'l/', 'l/y 3']);
  });

  it('puts a hard link in the place of a folder, with all that was below', async () => {
    const below = layer('1', file('kept'), folder('a'), file('a/x'), folder('a/b'), file('a/b/y'));
    const above = layer('2', hardLink('a', 'kept'));
    expect(await together(below, above)).toEqual(['a 4', 'kept = a']);
    await expect(together(below, layer('2', hardLink('a', 'a/x')))).rejects.toThrow('which is no file');
    await expect(together(below, layer('2', hardLink('a', 'kept'), file('a/new')))).rejects.toThrow('is no folder');
  });

  it('follows links of folders inside the image', async () => {
    const below = layer('1', folder('usr'), folder('usr/lib'), link('lib', 'usr/lib'), link('up', '../../usr'));
    const above = layer('2', file('lib/x', '1'), file('up/y', '1'), { name: 'lib/.wh.none' });
    expect(await together(below, above)).toEqual([
      'lib -> usr/lib',
      'up -> ../../usr',
      'usr/',
      'usr/lib/',
      'usr/lib/x 1',
      'usr/y 1',
    ]);
  });

  it('keeps files that are one together, also over layers, and a copy when the first of them is replaced', async () => {
    const below = layer('1', file('a', '1'), hardLink('b', 'a'));
    expect(await together(below, layer('2', hardLink('c', 'a')))).toEqual(['a 1', 'b = a', 'c = a']);
    expect(await together(below, layer('2', file('a', '22')))).toEqual(['a 2', 'b 1']);
    expect(await together(below, layer('2', { name: '.wh.a' }))).toEqual(['b 1']);
  });

  it('makes parents that no layer has', async () => {
    expect(await together(layer('1', file('a/b/c', '1')))).toEqual(['a/', 'a/b/', 'a/b/c 1']);
  });

  it('gives each entry its layer, and a folder that is only passed the one before', async () => {
    const below = layer('first', folder('a'));
    const above = layer('second', folder('a'), file('a/x'));
    const origins = [...applyLayers([await below, await above]).values()].map(
      ({ path, origin }) => `${path} ${origin}`,
    );
    expect(origins).toEqual(['a first', 'a/x second']);
  });

  it('does not change the layers that it is given', async () => {
    const one = await layer('1', file('a'), hardLink('b', 'a'));
    const before = JSON.stringify(one);
    applyLayers([one, { ...one, title: '2' }]);
    expect(JSON.stringify(one)).toBe(before);
  });

  it.each([
    ['something below a file', layer('1', file('a'), file('a/b')), 'lies below'],
    ['links in a circle', layer('1', link('a', 'b'), link('b', 'a'), file('a/x')), 'lead in a circle'],
    ['a hard link to nothing', layer('1', hardLink('a', 'b')), 'is no file'],
    ['a hard link to a folder', layer('1', folder('b'), hardLink('a', 'b')), 'is no file'],
  ])('refuses %s', async (_, bad, fault) => {
    await expect(together(bad)).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: expect.stringContaining(fault),
    });
  });
});

describe('unpackLayer()', () => {
  it.each([
    ['../x', 'is not acceptable'],
    ['a/../../x', 'is not acceptable'],
    ['a/.wh.', 'removes nothing'],
    ['.wh..', 'removes nothing'],
    ['a/.wh...', 'removes nothing'],
  ])('refuses the path %s', async (name, fault) => {
    await expect(layer('1', file(name))).rejects.toMatchObject({ message: expect.stringContaining(fault) });
  });

  it('leaves devices out and names them, and passes over what other tools keep for themselves', async () => {
    const read = await layer('1', { name: 'dev/null', type: '3' }, folder('.wh..wh.plnk'), file('.wh..wh.aufs'));
    expect(read).toMatchObject({ entries: [], removed: [], leftOut: ['dev/null'] });
  });
});
