import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Entry } from '../../src/assemble/tree.ts';
import { failedImports, installedDistributions, type TestRun } from '../../src/refresh/failed-imports.ts';
import { NAMES_ONLY } from '../../src/refresh/import-test.ts';

const ANSWERED = { status: 'ok', stdout: 'a\ta\t\ndone\n' } as const;
const ENDED = { status: 'ok', stdout: '' } as const;
const installed = (): Promise<readonly string[]> => Promise.resolve(['a', 'b', 'c']);

afterEach(() => {
  vi.useRealTimers();
});

/** All in one run ends the program; the rest as `answer` says. */
function apart(answer: (name: string) => Awaited<ReturnType<TestRun>>): { run: TestRun; asked: string[] } {
  const asked: string[] = [];
  const run: TestRun = (_, [name]) => {
    if (name === undefined) return Promise.resolve(ENDED);
    asked.push(name);
    return Promise.resolve(answer(name));
  };
  return { run, asked };
}

describe('failedImports()', () => {
  it('asks once where that answers', async () => {
    const whole = { status: 'ok', stdout: 'a\ta\t\nb\tm\tNo: such\ndone\n' } as const;
    expect(await failedImports(() => Promise.resolve(whole), installed)).toEqual([
      { distribution: 'b', module: 'm', error: 'No: such' },
    ]);
  });

  it('tries apart what is installed, whatever a package says that this is', async () => {
    const forged = Array.from({ length: 60_000 }, (_, index) => `ghost${index}\tm\t\n`).join('');
    const { run, asked } = apart((name) => {
      if (name === NAMES_ONLY) return { status: 'ok', stdout: `${forged}done\n` };
      return name === 'b' ? { status: 'timeout', stdout: '' } : ANSWERED;
    });
    expect(await failedImports(run, installed)).toEqual([
      { distribution: 'b', module: '', error: 'ended the program (timeout)' },
    ]);
    expect(asked).toEqual([NAMES_ONLY, 'a', 'b', 'c']);
  });

  it('blames the interpreter where not even it starts', async () => {
    const { run } = apart(() => ENDED);
    expect(await failedImports(run, installed)).toEqual([
      { distribution: 'python', module: '', error: 'ended the program (ok)' },
    ]);
  });

  it('comes to an end where each takes as long as it may, and calls nothing good that was not tried', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { run, asked } = apart((name) => {
      if (name !== NAMES_ONLY) vi.advanceTimersByTime(400_000);
      return ANSWERED;
    });
    const rows = await failedImports(run, () => Promise.resolve(['a', 'b', 'c', 'd', 'e', 'f']));
    expect(asked.length).toBeLessThan(6);
    expect(rows.at(-1)).toEqual({ distribution: 'f', module: '', error: 'was not tried: the others took 10 min' });
  });
});

describe('installedDistributions()', () => {
  it('are the folders of metadata, wherever they lie', () => {
    const folders = [
      'usr/lib/python3/dist-packages/Foo_Bar-1.0.dist-info',
      'x/old.pkg-2-py3.egg-info',
      'y/foo_bar-2.dist-info',
    ];
    const common = { mode: 0o755, uid: 0, gid: 0, mtime: 0, origin: 'x' };
    const entries = [...folders, 'z/not-info', 'w/dist-info'].map((path): readonly [string, Entry] => [
      path,
      { ...common, kind: 'directory', path },
    ]);
    expect(installedDistributions(new Map(entries))).toEqual(['foo-bar', 'old-pkg']);
  });
});
