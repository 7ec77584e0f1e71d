import { RootcellarError } from '../base/rootcellar-error.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { SmokeTest } from '../recipe/recipe.ts';
import type { RunReport } from '../run/run-report.ts';
import { startProgram } from '../run-program.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { readTree } from '../store/images.ts';
import { failedImports, installedDistributions } from './failed-imports.ts';
import type { ImportRow } from './import-test.ts';

/** What does not work in an image, and what its tests asked the kernel for and did not get. */
export interface TestedImage {
  /** Modules that cannot be imported. Where the name of the module is empty: what ends every program that imports the distribution. */
  readonly imports: readonly ImportRow[];
  /** How the smoke test ended, where it did not end well. */
  readonly smoke: string | undefined;
  /** Names of denied system calls. */
  readonly denied: ReadonlySet<string>;
}

const MOST_WORDS = 300;

/**
 * Imports the modules of every distribution, and runs the smoke test, in cells with the image's own policy, network and
 * limits. An image without Python, or of another architecture than this machine's, has nothing to test.
 */
export async function testImage(
  image: Image,
  smokeTest: SmokeTest | undefined,
  context: PipelineContext,
): Promise<TestedImage> {
  const denied = new Set<string>();
  const isOwn = image.architecture === context.hostArchitecture;
  if (!isOwn || readManifest(image.manifest).interpreter === undefined) {
    return { imports: [], smoke: undefined, denied };
  }
  const run = async (code: string, names: readonly string[]): Promise<RunReport> => {
    const report = await testRun({ image, code, names }, context);
    for (const { syscall } of report.denied) denied.add(syscall);
    return report;
  };
  const imports = await failedImports(run, async () => installedDistributions(await readTree(context.store, image)));
  const smoke = smokeTest === undefined ? undefined : smokeFault(await run(smokeTest.code, []));
  return { imports, smoke, denied };
}

interface TestRun {
  readonly image: Image;
  readonly code: string;
  readonly names: readonly string[];
}

async function testRun({ image, code, names }: TestRun, context: PipelineContext): Promise<RunReport> {
  const program = { kind: 'code', code } as const;
  const { report } = await startProgram(
    { image, program, arguments: names, limits: {}, stdio: 'capture', cancel: context.signal },
    context,
  );
  const ended = await report;
  context.signal.throwIfAborted();
  if (ended.status === 'internal' || ended.status === 'rejected') {
    throw new RootcellarError(
      'E_SANDBOX',
      `\`${image.name}\` cannot be tried: ${ended.error?.message ?? ended.status}`,
      {
        hint: 'rootcellar doctor',
      },
    );
  }
  return ended;
}

/** The last line that it wrote to stderr says most. */
function smokeFault({ status, exit_code: exitCode, stderr = '' }: RunReport): string | undefined {
  if (status === 'ok' && exitCode === 0) return undefined;
  const [last = ''] = stderr.trimEnd().split('\n').slice(-1);
  const words = last.replaceAll(/[^ -~]/g, '?').slice(0, MOST_WORDS);
  return `ended with ${status === 'error' ? `status ${exitCode}` : status}${words === '' ? '' : `: ${words}`}`;
}
