import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';

/** A window's title, a colour by a C1 control, a line that another tool would have written, and an order of reading. */
const NAME = 'a\u001b]0;owned\u0007\u009b31m\nSIZE  FILE\t\u202eb';
const SHOWN = String.raw`a\u{1b}]0;owned\u{7}\u{9b}31m\u{a}SIZE  FILE\u{9}\u{202e}b`;

let work: Workplace;
beforeAll(async () => {
  work = await workplace();
  for (const [image, content] of [
    ['one', 'x'],
    ['two', 'xyz'],
  ] as const) {
    await work.write({ [`${image}/usr/share/${NAME}`]: content });
    execFileSync('tar', ['-C', work.path(image), '-cf', work.path(`${image}.tar`), '.']);
    const loaded = await command('load', work.path(`${image}.tar`), '--name', image);
    if (loaded.status !== 0) throw new Error(loaded.stderr);
  }
});
afterAll(() => work[Symbol.asyncDispose]());

function command(...words: readonly string[]): Promise<Ended> {
  return rootcellar(words, { home: work.path('store') });
}

it.each([
  ['show', ['show', 'one']],
  ['show --files', ['show', 'one', '--files']],
  ['diff', ['diff', 'one', 'two']],
  ['explain', ['explain', 'one', `/usr/share/${NAME}`]],
])('%s shows what names of foreign files have in them, and obeys nothing', async (_, words) => {
  const { status, stdout } = await command(...words);
  expect(status).toBe(0);
  expect(stdout).toContain(SHOWN);
  // oxlint-disable-next-line no-control-regex
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
});

it('show --json gives the names as they are', async () => {
  const { stdout } = await command('show', 'one', '--json');
  const { largest_files: files } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  expect(files.map(({ path }: { readonly path: string }) => path)).toContain(`/usr/share/${NAME}`);
});
