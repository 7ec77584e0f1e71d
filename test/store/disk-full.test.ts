import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { geteuid } from 'node:process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from './scratch-store.ts';
import { skipWithout } from '../support/skip-without.ts';

/** In a mount namespace of its own: nothing of the mount is left, however the test ends. */
const SCRIPT = `
mount -t tmpfs -o size=10m tmpfs "$1" || exit 9
"$2" "$3" build "$1/home" 0 1 || exit 8
"$2" "$3" build "$1/home" 1 9
status=$?
ls "$1/home/unpacked" | wc -l
find "$1/home/tmp" -type f | wc -l
"$2" "$3" build "$1/home" 0 1 || exit 7
exit $status
`;

describe('a full disk', () => {
  it.skipIf(skipWithout('root', geteuid?.() === 0))('is E_DISK_FULL, and what was there stays sound', async () => {
    const folder = await scratchFolder();
    const child = join(import.meta.dirname, 'store-child.mjs');
    const args = ['-m', '--propagation', 'private', 'sh', '-c', SCRIPT, 'sh', folder, process.execPath, child];
    const failed: unknown = await promisify(execFile)('unshare', args).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringMatching(/E_DISK_FULL.*\n2\n0\nready\n$/s) });
  });
});
