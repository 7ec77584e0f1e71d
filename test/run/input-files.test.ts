import { describe, expect, it } from 'vitest';
import { placeInputs, type InputEntry } from '../../src/run/input-files.ts';

const MIB = 1024 ** 2;

function file(path: string, size = 1): InputEntry {
  return { path, content: { file: '/x', size }, isExecutable: false };
}

function folder(path: string): InputEntry {
  return { path, content: undefined, isExecutable: true };
}

describe('placeInputs()', () => {
  it('makes the folders that a file needs, each once and before it', () => {
    const placed = placeInputs([file('a/b/c'), folder('/tmp/a'), file('./a/d'), folder('.')], MIB);
    expect(placed.map((one) => `${one.folder} ${one.name} ${one.content === undefined ? 'folder' : 'file'}`)).toEqual([
      '. a folder',
      'a b folder',
      'a/b c file',
      'a d file',
    ]);
  });

  it('keeps whether a file may be executed', () => {
    const content = new Uint8Array(1);
    const entries = [true, false].map((isExecutable) => ({ path: `${isExecutable}`, content, isExecutable }));
    expect(placeInputs(entries, MIB).map(({ mode }) => mode)).toEqual([0o755, 0o644]);
  });

  it.each<[string, readonly InputEntry[], RegExp]>([
    ['two files in one place', [file('a/b'), file('/tmp/a//b')], /^file: `a\/b` is there twice/],
    ['a file where a folder is', [file('a/b'), file('a')], /^file: `a` would be a file and a folder/],
    ['a folder where a file is', [file('a'), file('a/b')], /^file: `a` would be a file and a folder/],
    ['a file in the place of /tmp', [file('/tmp')], /^file: `\/tmp` is a folder/],
    ['a path that leads out', [file('../a')], /^file: `\.\.\/a` leads up/],
    ['too many', Array.from({ length: 4097 }, (_, index) => file(`${index}`)), /^files: more than 4096/],
    ['too much', [file('a', MIB), file('b', 1)], /^files: 1052672 bytes are more than the 1 MiB/],
  ])('refuses %s', (_, entries, message) => {
    expect(() => placeInputs(entries, MIB)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringMatching(message), hint: expect.anything() }),
    );
  });

  it('takes exactly what fits', () => {
    expect(placeInputs([file('a', MIB - 4096), file('b', 1)], MIB)).toHaveLength(2);
    expect(
      placeInputs(
        Array.from({ length: 4096 }, (_, index) => file(`${index}`, 0)),
        MIB,
      ),
    ).toHaveLength(4096);
  });
});
