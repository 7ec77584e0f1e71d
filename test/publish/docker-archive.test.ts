import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { dockerImage } from '../../src/publish/docker-archive.ts';
import type { NamedFiles } from '../../src/publish/local-source.ts';
import { scratchFolder } from '../store/scratch-store.ts';

interface ToyArchive extends NamedFiles {
  /** Names that were asked for, in that order. */
  readonly asked: readonly string[];
}

/** An archive of one image that has the same layer `count` times. */
async function archiveOf(count: number): Promise<ToyArchive> {
  const folder = await scratchFolder();
  const diffIds = Array.from({ length: count }, () => digestOf('layer'));
  const layers = diffIds.map(() => 'layer.tar');
  writeFileSync(join(folder, 'layer.tar'), 'layer');
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: ['toy:1'], Layers: layers }]),
  );
  const asked: string[] = [];
  const pathOf = (name: string): string => {
    asked.push(name);
    return join(folder, name);
  };
  return { title: 'toy', asked, pathOf };
}

const { signal } = new AbortController();

describe('dockerImage()', () => {
  it('reads a layer once that an image has several times', async () => {
    const archive = await archiveOf(512);
    const { layers } = await dockerImage(archive, undefined, signal);
    expect(layers).toHaveLength(512);
    expect(new Set(layers.map(({ digest }) => digest))).toEqual(new Set([digestOf('layer')]));
    expect(archive.asked.filter((name) => name === 'layer.tar')).toEqual(['layer.tar']);
  });

  it('counts layers before it reads any', async () => {
    const archive = await archiveOf(513);
    await expect(dockerImage(archive, undefined, signal)).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: 'toy: has more than 512 layers',
    });
    expect(archive.asked).not.toContain('layer.tar');
  });

  it('is stopped by the signal', async () => {
    const reason = new Error('enough');
    await expect(dockerImage(await archiveOf(1), undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
