import { describe, expect, it } from 'vitest';
import { runTool, type ToolRun } from '../../src/resolve/run-tool.ts';

function shell(code: string): ToolRun {
  return {
    program: 'sh',
    arguments: ['-c', code],
    environment: { PATH: process.env['PATH'] },
    folder: '/tmp',
    timeoutMs: 60_000,
  };
}

describe('runTool()', () => {
  it('gives what a program that fails says', async () => {
    expect(await runTool(shell('echo no; echo why >&2; exit 3'))).toEqual({
      exitCode: 3,
      stdout: 'no\n',
      stderr: 'why\n',
    });
  });

  it('has no answer where there is no such program', async () => {
    expect(await runTool({ ...shell(''), program: 'no-such-program' })).toBeUndefined();
  });

  it('calls a full disk what it is, whatever the program makes of it', async () => {
    const failing = runTool(shell('cat /etc/passwd > /dev/full; echo the download failed >&2; exit 100'));
    await expect(failing).rejects.toMatchObject({
      code: 'E_DISK_FULL',
      message: expect.stringContaining('sh: no space'),
    });
    expect(await runTool(shell('cat /etc/passwd > /dev/full; true'))).toMatchObject({ exitCode: 0 });
  });
});
