import type { RunRequest } from '../run-program.ts';
import type { WarmPool } from '../warm-pool.ts';
import type { ServedImage } from './image-source.ts';
import type { ServiceSettings } from './service-settings.ts';
import type { PoolState, ServiceWatch } from './service-watch.ts';

/** Runs as they will come: of each language, and with each set of modules that the image wants to have imported. */
export function expectedRuns(
  { byLanguage, manifest }: Pick<ServedImage, 'byLanguage' | 'manifest'>,
  { network, limits }: Pick<ServiceSettings, 'network' | 'limits'>,
): readonly RunRequest[] {
  const expected = (name: string, text: string, image: RunRequest['image'] | undefined): readonly RunRequest[] =>
    image === undefined
      ? []
      : [
          {
            image,
            program: { kind: 'file', file: { name, content: Buffer.from(text) } },
            arguments: [],
            limits,
            network,
            stdio: 'capture',
          },
        ];
  const imports = ['', ...(manifest.sandbox.preimport ?? []).map((module) => `import ${module}\n`)];
  return [
    ...imports.flatMap((text) => expected('main.py', text, byLanguage.python3)),
    ...expected('main.js', '', byLanguage.nodejs),
  ];
}

/** Lets cells wait for runs of this image, and for no others. Settles when they do; where they cannot, runs get cells of their own. */
export async function keepWarm(
  pool: WarmPool,
  served: ServedImage,
  { settings, watch }: { readonly settings: ServiceSettings; readonly watch: Pick<ServiceWatch, 'noticed'> },
): Promise<void> {
  try {
    for (const run of expectedRuns(served, settings)) await pool.prepare(run);
    await pool.keepOnly(new Set([served.image.diffId]));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    watch.noticed({ level: 'warning', message: `no cells wait for runs: ${why}` });
  }
}

/** The cells of the served image, of all kinds together. */
export function poolStates(pool: WarmPool, served: ServedImage | undefined): readonly PoolState[] {
  if (served === undefined) return [];
  const { name, diffId, generation } = served.image;
  const own = pool.state().filter(({ image }) => image.digest === diffId);
  if (own.length === 0) return [];
  const sum = (of: (state: (typeof own)[number]) => number): number => own.reduce((total, one) => total + of(one), 0);
  return [
    { image: { name, digest: diffId, generation }, size: sum(({ size }) => size), free: sum(({ waiting }) => waiting) },
  ];
}
