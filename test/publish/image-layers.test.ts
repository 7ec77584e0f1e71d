import { describe, expect, it } from 'vitest';
import type { Entry, Tree } from '../../src/assemble/tree.ts';
import { imageLayers } from '../../src/publish/image-layers.ts';
import { directoryEntry, fileEntry, hardLinkEntry, symlinkEntry, treeOf } from '../store/scratch-store.ts';

const MIB = 'x'.repeat(1024 ** 2);

function from(origin: string, entry: Entry): Entry {
  return { ...entry, origin };
}

/** A tree of many packages, of which one has this version. */
function image(version: string): Tree {
  const mtime = 2000 + Number(version);
  const small = Array.from({ length: 100 }, (_, index) => [
    from(`small${index} 1`, directoryEntry(`lib/small${index}`)),
    from(`small${index} 1`, fileEntry(`lib/small${index}/init.py`, `${index}`)),
  ]);
  return treeOf(
    // As every build has it: a folder is as new as the newest thing in it.
    { ...directoryEntry('lib'), mtime },
    directoryEntry('bin'),
    { ...from('small7 1', directoryEntry('lib/empty')), mtime },
    from('large 2', fileEntry('lib/large.so', MIB)),
    from('large 2', symlinkEntry('bin/large', '../lib/large.so')),
    { ...from(`changed ${version}`, directoryEntry('lib/changed')), mtime },
    { ...from(`changed ${version}`, fileEntry('lib/changed/init.py', version)), mtime },
    from(`changed ${version}`, hardLinkEntry('lib/changed/same.py', 'lib/changed/init.py')),
    from('rootcellar', directoryEntry('.rootcellar')),
    from('rootcellar', fileEntry('.rootcellar/manifest.json', version)),
    ...small.flat(),
  );
}

describe('imageLayers()', () => {
  it('gives layers that are trees and together the image', () => {
    const tree = image('1');
    const layers = imageLayers(tree);
    const together = new Map(layers.flatMap((layer) => [...layer.tree]));
    expect(together).toEqual(tree);
    for (const { tree: layer } of layers) {
      for (const path of layer.keys()) {
        const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
        expect(parent === '' || layer.get(parent)?.kind === 'directory', path).toBe(true);
      }
    }
    // Nothing but folders is in two.
    const files = layers.flatMap(({ tree: layer }) => [...layer.values()].filter(({ kind }) => kind !== 'directory'));
    expect(files.length).toBe(new Set(files.map(({ path }) => path)).size);
  });

  it('has a large package alone, small ones together, and what the build made last', () => {
    const titles = imageLayers(image('1')).map(({ title }) => title);
    expect(titles).toContain('large');
    expect(titles.at(-1)).toBe('rootcellar');
    expect(titles.length).toBeLessThanOrEqual(18);
    expect(titles.length).toBeGreaterThan(10);
  });

  it('changes the layer of a package that changes, and the one that tells of it', () => {
    const [before, after] = [imageLayers(image('1')), imageLayers(image('2'))];
    expect(after.map(({ title }) => title)).toEqual(before.map(({ title }) => title));
    const changed = after.filter(
      (layer, index) => JSON.stringify([...layer.tree]) !== JSON.stringify([...(before[index]?.tree ?? [])]),
    );
    expect(changed).toHaveLength(2);
    expect(changed.some(({ tree }) => tree.has('lib/changed/init.py'))).toBe(true);
    expect(changed.at(-1)?.title).toBe('rootcellar');
  });

  it('has no more layers than engines take', () => {
    const many = Array.from({ length: 300 }, (_, index) => from(`large${index} 1`, fileEntry(`f${index}`, MIB)));
    expect(imageLayers(treeOf(...many)).length).toBeLessThanOrEqual(81);
  });

  it.each(['.wh.file', 'lib/.wh..wh..opq'])('refuses %s, which in a layer removes', (path) => {
    expect(() => imageLayers(treeOf(directoryEntry('lib'), fileEntry(path, '')))).toThrow(/removed file/);
  });
});
