import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { expandHostPattern } from '../../src/assemble/host-glob.ts';
import { toyHost } from './host-disks.ts';

const FILES = {
  'a/b/c.py': 'x',
  'a/b/d.txt': 'x',
  'a/bb/c.py': 'x',
  'a/.hidden/c.py': 'x',
  'a/b[1].so': 'x',
  'b/x.so.1': 'x',
  'b/x.so.12': 'x',
  linked: '-> a',
};

describe('expandHostPattern()', () => {
  it.each([
    ['/a/*/c.py', ['/a/b/c.py', '/a/bb/c.py']],
    ['/a/?', ['/a/b']],
    ['/b/x.so.[0-9]', ['/b/x.so.1']],
    ['/b/x.so.[!2]*', ['/b/x.so.1', '/b/x.so.12']],
    ['/**/c.py', ['/a/b/c.py', '/a/bb/c.py']],
    ['/a/.*/c.py', ['/a/.hidden/c.py']],
    ['/a/b[[]1].so', ['/a/b[1].so']],
    ['/linked/b/*.txt', ['/linked/b/d.txt']],
    ['/a/b/c.py/*', []],
    ['/a/[z-a]', []],
    ['/none/*', []],
  ])('finds for %s what glob(7) says', (pattern, expected) => {
    using host = toyHost(FILES);
    expect(expandHostPattern(host.disk, pattern)).toEqual(expected);
  });

  it('agrees with bash', () => {
    using host = toyHost(FILES);
    const parts = ['a', 'b', '*', '?', 'b*', '*.py', '*b', 'c.?y', '[ab]', '[!a]', 'x.so.*', '.*d*', 'linked'];
    const pairs = parts.flatMap((one) => parts.map((two) => `${one}/${two}`));
    const patterns = [...parts, ...pairs, ...pairs.flatMap((pair) => parts.map((three) => `${pair}/${three}`))];
    const script = 'shopt -s nullglob; for pattern; do for path in $pattern; do printf "%s " "$path"; done; echo; done';
    const lines = execFileSync('bash', ['-c', script, 'bash', ...patterns], { cwd: host.root, encoding: 'utf8' }).split(
      '\n',
    );
    const theirs = patterns.map((pattern, index) => [
      pattern,
      lines[index]?.trim().split(' ').filter(Boolean).toSorted(),
    ]);
    const ours = patterns.map((pattern) => [
      pattern,
      expandHostPattern(host.disk, `/${pattern}`).map((path) => path.slice(1)),
    ]);
    expect(ours.filter(isPattern)).toEqual(theirs.filter(isPattern));
    expect(theirs.filter((row) => (row[1]?.length ?? 0) > 0).length).toBeGreaterThan(100);
  });
});

/** Without a wildcard, the shell gives back the word, whether there is such a path or not. */
function isPattern([pattern]: readonly unknown[]): boolean {
  return /[*?[]/.test(String(pattern));
}
