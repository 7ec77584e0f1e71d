import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CELL_PATH, cellHost } from '../../src/cell-host.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { programPlan } from '../../src/program-plan.ts';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { readManifest } from '../../src/store/image-manifest.ts';
import type { Image } from '../../src/store/image-record.ts';

export interface LauncherRequest {
  readonly image: Image;
  /** Laid out, absolute. */
  readonly root: string;
  readonly code: string;
  /** For the plan. */
  readonly folder: string;
}

/** A function that runs the code once more by the launcher itself, as bubblewrap is run, and gives its output. */
export async function launcherAlone(
  { image, root, code, folder }: LauncherRequest,
  context: PipelineContext,
): Promise<() => Promise<string>> {
  const manifest = readManifest(image.manifest);
  const request = { image, program: { kind: 'code', code }, arguments: [], limits: {}, stdio: 'capture' } as const;
  const network = { plan: undefined, variables: {}, events: () => [], close: () => Promise.resolve() };
  const host = await cellHost('A');
  const { limits } = manifest.sandbox;
  const plan = await programPlan({ request, manifest, limits, root, host, files: [], network }, context);
  const file = join(folder, 'plan');
  writeFileSync(file, encodePlan(plan));
  return async () => {
    const [records, status] = [openSync(file, 'r'), openSync('/dev/null', 'w')];
    const cell = spawn(CELL_PATH, ['run'], { stdio: ['ignore', 'pipe', 'pipe', records, status] });
    for (const descriptor of [records, status]) closeSync(descriptor);
    return cell.stdout === null ? '' : text(cell.stdout);
  };
}
