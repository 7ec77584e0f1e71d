import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const NATIVE = join(import.meta.dirname, '../../native');
const folder = mkdtempSync(join(tmpdir(), 'rootcellar-told-'));
const cell = join(folder, 'cell');

beforeAll(() => {
  execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${folder}`, 'CFLAGS=-O1', cell], { stdio: 'pipe' });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is told of a flag that there is not, whose bytes are these; Node.js gives a process text only. */
function told(bytes: readonly number[]): Buffer {
  const octal = bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const { stderr, status } = spawnSync('sh', ['-c', `exec "$0" run "--x$(printf '${octal}.')"`, cell]);
  expect(status).toBe(2);
  const line = stderr.subarray(0, stderr.indexOf('\n  hint: '));
  return line.subarray(line.indexOf('--x') + 3, -1);
}

it.each<readonly [string, readonly number[], string]>([
  ['C0 and DEL', [0x1b, 0x5b, 0x07, 0x7f], '?[??'],
  ['C1 in UTF-8', [0xc2, 0x80, 0xc2, 0x9b, 0x33, 0xc2, 0x9f], '????3??'],
  ['bare C1', [0x9b, 0x33, 0x31, 0x6d, 0x90], '?31m?'],
  ['letters with such bytes in them', [...Buffer.from('é×→漢🥕\u00a0ß')], 'é×→漢🥕\u00a0ß'],
  ['half a letter', [0xe6, 0xbc, 0x1b, 0xf0, 0x9f, 0xa5], '??????'],
  ['what is too long for its letter', [0xc0, 0x9b, 0xc1, 0xbf, 0xf5, 0x80], '??????'],
])('tells %s so that a terminal obeys nothing', (_, bytes, expected) => {
  expect(told(bytes).toString()).toBe(expected);
});
