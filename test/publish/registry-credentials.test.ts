import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCredentials } from '../../src/publish/registry-credentials.ts';
import { scratchFolder } from '../store/scratch-store.ts';

async function find(file: string): ReturnType<typeof findCredentials> {
  return findCredentials({
    registry: 'a.example',
    repository: 'x',
    environment: { REGISTRY_AUTH_FILE: file, HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' },
    signal: new AbortController().signal,
  });
}

describe('findCredentials()', () => {
  it('waits for no FIFO, and takes no folder and no huge file', async () => {
    const folder = await scratchFolder();
    const [fifo, huge] = [join(folder, 'fifo'), join(folder, 'huge')];
    execFileSync('mkfifo', [fifo]);
    mkdirSync(join(folder, 'folder'));
    writeFileSync(huge, '');
    truncateSync(huge, 2 ** 33);
    for (const [file, fault] of [
      [fifo, 'is not a regular file'],
      [join(folder, 'folder'), 'is not a regular file'],
      [huge, 'is larger than 4 MiB'],
    ] as const) {
      await expect(find(file)).rejects.toMatchObject({ code: 'E_CREDENTIALS', message: `\`${file}\`: ${fault}` });
    }
  });

  it('finds nothing where nothing is, or where that is said', async () => {
    for (const file of ['/dev/null', join(await scratchFolder(), 'none')]) {
      expect((await find(file)).credentials).toBeUndefined();
    }
  });
});
