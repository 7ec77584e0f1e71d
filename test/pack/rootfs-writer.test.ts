import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Contents } from '../../src/assemble/tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import { noProgress } from '../../src/base/progress.ts';
import type { ProgressEvent } from '../../src/base/progress.ts';
import { writeRootfs } from '../../src/pack/rootfs-writer.ts';
import { directory, file, filledTree } from './trees.ts';

const SMALL = filledTree([directory('a'), file('a/b', 'hello')]);
const LARGE = filledTree([file('large', Buffer.alloc(40_000_000, 'x')), file('small', 'y')]);
const NEVER = new AbortController().signal;

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-rootfs-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

describe('writeRootfs()', () => {
  it('writes the tar whose digest and size it returns', async () => {
    const folder = scratch();
    const output = join(folder, 'x.tar');
    writeFileSync(output, 'older');
    const rootfs = await writeRootfs({ ...LARGE, output, signal: NEVER, progress: noProgress });
    const tar = readFileSync(output);
    expect(rootfs).toEqual({ diffId: digestOf(tar), size: tar.length });
    expect(readdirSync(folder)).toEqual(['x.tar']);
  });

  it('finds out the same without an output', async () => {
    const folder = scratch();
    const written = await writeRootfs({ ...SMALL, output: join(folder, 'x'), signal: NEVER, progress: noProgress });
    expect(await writeRootfs({ ...SMALL, signal: NEVER, progress: noProgress })).toEqual(written);
  });

  it('tells how far it is', async () => {
    const events: ProgressEvent[] = [];
    await writeRootfs({ ...LARGE, signal: NEVER, progress: (event) => events.push(event) });
    expect(events.map(({ kind }) => kind)).toEqual(['begin', 'advance', 'advance', 'advance', 'advance', 'end']);
    expect(events.at(0)).toMatchObject({ total: { bytes: 40_000_001 } });
  });

  it('stops between two chunks when told to, and leaves the older file as it was', async () => {
    const folder = scratch();
    const output = join(folder, 'x.tar');
    writeFileSync(output, 'older');
    const controller = new AbortController();
    const progress = (event: ProgressEvent): void => {
      if (event.kind === 'advance') controller.abort(new Error('told to stop'));
    };
    let packed = 0;
    const contents: Contents = {
      *chunks(digest, size) {
        for (const chunk of LARGE.contents.chunks(digest, size)) {
          packed += chunk.length;
          yield chunk;
        }
      },
    };
    const options = { tree: LARGE.tree, contents, output, signal: controller.signal, progress };
    await expect(writeRootfs(options)).rejects.toThrow('told to stop');
    expect(packed).toBeLessThan(12_000_000);
    expect(readdirSync(folder)).toEqual(['x.tar']);
    expect(readFileSync(output, 'utf8')).toBe('older');
  });

  it('leaves nothing behind when contents fail', async () => {
    const folder = scratch();
    const contents: Contents = {
      *chunks(digest, size) {
        yield* LARGE.contents.chunks(digest, size);
        throw new Error('disk on fire');
      },
    };
    const output = join(folder, 'x.tar');
    await expect(
      writeRootfs({ tree: LARGE.tree, contents, output, signal: NEVER, progress: noProgress }),
    ).rejects.toThrow('disk on fire');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says that the disk is full, and leaves nothing on it', async ({ skip }) => {
    const folder = scratch();
    if (process.getuid?.() !== 0) skip('needs root to mount a small file system');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=10m', 'rootcellar-test', folder]);
    } catch {
      skip('may not mount');
    }
    onTestFinished(() => {
      execFileSync('umount', [folder]);
    });
    const output = join(folder, 'x.tar');
    await expect(writeRootfs({ ...LARGE, output, signal: NEVER, progress: noProgress })).rejects.toMatchObject({
      code: 'E_DISK_FULL',
      hint: `df -h ${folder}`,
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses an output in a folder that does not exist, and one that is a folder', async () => {
    const folder = scratch();
    const options = { ...SMALL, signal: NEVER, progress: noProgress };
    await expect(writeRootfs({ ...options, output: join(folder, 'no/x.tar') })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `\`${folder}/no/x.tar\`: its folder does not exist`,
      hint: `mkdir -p ${folder}/no`,
    });
    mkdirSync(join(folder, 'x'));
    await expect(writeRootfs({ ...options, output: join(folder, 'x') })).rejects.toThrow('is a folder');
    expect(readdirSync(folder)).toEqual(['x']);
  });
});
