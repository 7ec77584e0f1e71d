import { expect, it } from 'vitest';
import { createReporter, type Screen } from '../../src/cli/reporter.ts';

/** A stream that is no terminal and keeps what it gets. */
function memory(): Screen & { readonly text: () => string } {
  const parts: string[] = [];
  return {
    isTTY: false,
    write: (text) => {
      parts.push(text);
      return true;
    },
    text: () => parts.join(''),
  };
}

async function speak(flags: {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}): Promise<{ out: string; err: string }> {
  const stdout = memory();
  const stderr = memory();
  const { json = false, quiet = false, verbose = false } = flags;
  const reporter = await createReporter({ json, quiet, verbose, stdout, stderr, environment: {} });
  reporter.progress({
    kind: 'begin',
    step: 'download',
    title: 'download 2 artifacts',
    total: { items: 2, bytes: 2048 },
  });
  reporter.progress({ kind: 'advance', step: 'download', done: { items: 1, bytes: 1024 } });
  reporter.progress({ kind: 'end', step: 'download', summary: '2 artifacts, 2 KiB' });
  reporter.progress({ kind: 'warning', message: 'the moon is full', hint: 'wait' });
  reporter.result('the image\n', { image: 'x' });
  await reporter.close('done');
  return { out: stdout.text(), err: stderr.text() };
}

it('createReporter() in a pipe gives a line per finished step on stderr, data on stdout', async () => {
  expect(await speak({})).toEqual({
    out: 'the image\n',
    err: 'download: 2 artifacts, 2 KiB\nwarning: the moon is full\n  hint: wait\n',
  });
});

it('createReporter() with --quiet leaves only warnings and data', async () => {
  expect(await speak({ quiet: true })).toEqual({
    out: 'the image\n',
    err: 'warning: the moon is full\n  hint: wait\n',
  });
});

it('createReporter() with --verbose shows beginnings and advances too', async () => {
  expect((await speak({ verbose: true })).err.split('\n').slice(0, 2)).toEqual([
    'download: download 2 artifacts',
    'download: 1, 1 KiB',
  ]);
});

it('createReporter() with --json gives one object a line, all on stdout', async () => {
  const { out, err } = await speak({ json: true });
  expect(err).toBe('');
  expect(
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).event),
  ).toEqual(['begin', 'advance', 'end', 'warning', 'result']);
});
