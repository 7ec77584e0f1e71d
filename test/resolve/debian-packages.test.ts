import { describe, expect, it } from 'vitest';
import { debArtifact, fileNameOf, isPoolPath, namesOfClosure, readPackage } from '../../src/resolve/debian-packages.ts';

const HEX = 'ab'.repeat(32);

function stanza(name: string, more = ''): string {
  return `Package: ${name}\nVersion: 1\nArchitecture: amd64\n${more}Filename: pool/${name}.deb\nSize: 5\nSHA256: ${HEX}`;
}

describe('debArtifact()', () => {
  it('names the locked packages that it depends on: first alternative, or who provides it', () => {
    const a = readPackage(
      stanza('a', 'Pre-Depends: z (>= 1)\nDepends: x | b:any (>= 2), awk, missing | gone, a\n'),
      's',
    );
    const closure = [
      a,
      readPackage(stanza('b'), 's'),
      readPackage(stanza('mawk', 'Provides: awk (= 1)\n'), 's'),
      readPackage(stanza('z'), 's'),
    ];
    const deb = debArtifact(a, namesOfClosure(closure));
    expect(deb?.depends).toEqual(['b', 'mawk', 'z']);
    expect(deb?.path).toBe('pool/a.deb');
  });

  it.each(['Size: x', 'SHA256: 12', 'Filename: ../../etc/passwd', 'Filename: /etc/passwd', 'Architecture: vax'])(
    'refuses a stanza with `%s`',
    (line) => {
      const name = line.split(':')[0] ?? '';
      const text = stanza('a').replace(new RegExp(`^${name}: .*$`, 'm'), line);
      expect(debArtifact(readPackage(text, 's'), new Map())).toBeUndefined();
    },
  );
});

describe('isPoolPath()', () => {
  it.each(['a//b', './a', 'a/../b', 'a b', '', 'a\\b'])('refuses `%s`', (path) => {
    expect(isPoolPath(path)).toBe(false);
  });
});

describe('fileNameOf()', () => {
  it('finds the field wherever it stands', () => {
    expect(fileNameOf('Package: a\nFilename: pool/x.deb\nX: y')).toBe('pool/x.deb');
    expect(fileNameOf('X-Filename: pool/x.deb')).toBeUndefined();
  });
});
