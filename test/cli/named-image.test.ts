import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { namedImage } from '../../src/cli/named-image.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { startProgram } from '../../src/run-program.ts';
import { putImage, type NewImage } from '../../src/store/put-image.ts';
import { directoryEntry, scratchStore, treeOf } from '../store/scratch-store.ts';

const DIGEST = digestOf('arm');

function toyImage(changes: Partial<NewImage>): NewImage {
  return {
    name: 'toy',
    architecture: 'amd64',
    diffId: digestOf('tar'),
    size: 4096,
    inputsKey: digestOf('inputs'),
    manifest: {},
    tree: treeOf(directoryEntry('bin')),
    unpackedKeys: [],
    ...changes,
  };
}

async function machineWithForeignImage(): Promise<PipelineContext> {
  const store = await scratchStore();
  await putImage(store, toyImage({ architecture: 'arm64', diffId: DIGEST }));
  const signal = new AbortController().signal;
  return { store, hostArchitecture: 'amd64', environment: {}, signal, progress: () => undefined, now: 0 };
}

describe('namedImage()', () => {
  it.each(['toy', 'toy@arm64', DIGEST, DIGEST.slice(7, 15)])(
    'finds an image that is there only for another architecture as %s',
    async (word) => {
      const machine = await machineWithForeignImage();
      expect((await namedImage(word, machine)).architecture).toBe('arm64');
    },
  );

  it('prefers the image for this machine', async () => {
    const machine = await machineWithForeignImage();
    await putImage(machine.store, toyImage({ diffId: digestOf('own') }));
    expect((await namedImage('toy', machine)).architecture).toBe('amd64');
  });

  it('finds nothing by other words', async () => {
    const machine = await machineWithForeignImage();
    await expect(namedImage('tyo', machine)).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      hint: 'did you mean `toy`?',
    });
  });
});

describe('startProgram()', () => {
  it('runs nothing of an image for another architecture', async () => {
    const machine = await machineWithForeignImage();
    const image = await namedImage('toy', machine);
    const program = { kind: 'code', code: '1' } as const;
    const started = startProgram({ image, program, arguments: [], limits: {}, stdio: 'capture' }, machine);
    await expect(started).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      message: 'image `toy`: is for arm64, and this machine is amd64',
      hint: 'rootcellar build RECIPE --arch amd64',
    });
  });
});
