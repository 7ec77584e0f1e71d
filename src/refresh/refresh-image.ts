import pMap from 'p-map';
import type { Architecture } from '../base/architecture.ts';
import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { buildImage } from '../build-image.ts';
import { withIdentities } from '../built-image.ts';
import { lockfilePath, readLockfile, writeLockfile } from '../lock/lockfile-files.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import { planLockfile } from '../lock-recipe.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { changeReport, type ChangeReport } from './change-report.ts';
import { IMPORT_TEST, importRows, NAMES_ONLY, type ImportRow } from './import-test.ts';
import type { Upgrade } from '../resolve/resolver-settings.ts';
import { startProgram } from '../run-program.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { readCurrent, readTree } from '../store/images.ts';
import { withLock } from '../store/kernel-lock.ts';
import { putImage } from '../store/put-image.ts';

export interface RefreshRequest {
  readonly recipe: Recipe;
  /** Which packages may leave their locked version. */
  readonly upgrade: Upgrade;
  /** Only say what is new. */
  readonly isCheck: boolean;
}

export type RefreshResult =
  /** Nothing is new. */
  | { readonly kind: 'current'; readonly report: ChangeReport }
  /** What there would be. */
  | { readonly kind: 'available'; readonly report: ChangeReport }
  /** Is current now, and locked. */
  | { readonly kind: 'switched'; readonly report: ChangeReport; readonly images: readonly Image[] }
  /** What served goes on serving, and the lockfile is as it was. */
  | { readonly kind: 'kept'; readonly report: ChangeReport; readonly faults: readonly RefreshFault[] };

export interface RefreshFault {
  /** A package, where it is known. */
  readonly culprit: string | undefined;
  /** One line for people. */
  readonly message: string;
}

/** What a new image lacks or is: another try gives the same. All other errors are this machine's or the network's, and thrown. */
const FAULTS: ReadonlySet<ErrorCode> = new Set([
  'E_ARTIFACT_INVALID',
  'E_BYTECODE',
  'E_DIGEST_MISMATCH',
  'E_FILE_CONFLICT',
  'E_LIBRARY_MISSING',
  'E_TRIM',
]);

/**
 * Resolves a recipe again, builds what is new beside what is current, imports all of its modules in a cell with the image's own
 * policy, and switches only when that does no worse than before. Whatever happens, the old or the new generation is current.
 * Throws E_LOCK_MISSING, and what resolving, downloading and the sandbox throw.
 */
export async function refreshImage(request: RefreshRequest, context: PipelineContext): Promise<RefreshResult> {
  // Whoever comes second finds what the first has done.
  return withLock(context.store, `refresh-${request.recipe.name}`, () => refreshAlone(request, context));
}

async function refreshAlone(request: RefreshRequest, context: PipelineContext): Promise<RefreshResult> {
  const { recipe, upgrade, isCheck } = request;
  const path = lockfilePath(recipe);
  const previous = await readLockfile(path);
  if (previous === undefined) {
    throw new RootcellarError('E_LOCK_MISSING', `\`${path}\`: there is no lockfile that could be refreshed`, {
      hint: 'rootcellar build RECIPE',
    });
  }
  const next = await planLockfile({ recipe, upgrade, previous }, context);
  const report = changeReport(previous, next);
  if (report.architectures.length === 0) return { kind: 'current', report };
  if (isCheck) return { kind: 'available', report };
  const architectures = report.architectures.map(({ architecture }) => architecture);
  const tried = await tryOut({ recipe, next, architectures }, context);
  if (tried.kind === 'faults') return { kind: 'kept', report, faults: tried.faults };
  const images: Image[] = [];
  for (const image of tried.images) {
    images.push(await putImage(context.store, { ...image, tree: await readTree(context.store, image) }));
  }
  // Last: who is killed before finds the same changes again, and images that are current already.
  await writeLockfile(path, withIdentities(next, images));
  return { kind: 'switched', report, images };
}

interface Trial {
  readonly recipe: Recipe;
  readonly next: Lockfile;
  readonly architectures: readonly Architecture[];
}

type Tried =
  | { readonly kind: 'images'; readonly images: readonly Image[] }
  | { readonly kind: 'faults'; readonly faults: readonly RefreshFault[] };

async function tryOut({ recipe, next, architectures }: Trial, context: PipelineContext): Promise<Tried> {
  const candidates: Image[] = [];
  for (const architecture of architectures) {
    try {
      candidates.push(
        await buildImage({ recipe, lock: next, architecture, output: undefined, isCandidate: true }, context),
      );
    } catch (error) {
      if (!(error instanceof RootcellarError) || !FAULTS.has(error.code)) throw error;
      const faults = error.problems.map(({ message }) => ({
        culprit: undefined,
        message: `${architecture}: ${message}`,
      }));
      return { kind: 'faults', faults };
    }
  }
  const own = candidates.find(({ architecture }) => architecture === context.hostArchitecture);
  const images = { kind: 'images', images: candidates } as const;
  if (own === undefined || readManifest(own.manifest).interpreter === undefined) return images;
  const faults = await importFaults(own, context);
  return faults.length === 0 ? images : { kind: 'faults', faults };
}

/** What cannot be imported any more, or was not there before. */
async function importFaults(candidate: Image, context: PipelineContext): Promise<readonly RefreshFault[]> {
  const found = await failedImports(candidate, context);
  if (found.length === 0) return [];
  const current = await readCurrent(context.store, candidate.name, candidate.architecture);
  const before = current === undefined ? [] : await failedImports(current, context);
  const known = new Set(before.map(keyOf));
  return found
    .filter((failure) => !known.has(keyOf(failure)))
    .map(({ distribution, module, error }) => {
      const what = module === '' ? `importing ${distribution}` : `\`import ${module}\` of ${distribution}`;
      return { culprit: distribution, message: `${what}: ${error}` };
    });
}

function keyOf({ distribution, module }: ImportRow): string {
  return `${distribution} ${module}`;
}

/** All in one run. Where that cannot answer, each distribution in its own: all together may take more than any program does. */
async function failedImports(image: Image, context: PipelineContext): Promise<readonly ImportRow[]> {
  const whole = await importRun(image, [], context);
  if (typeof whole !== 'string') return whole.filter(isFailure);
  const rows = await importRun(image, [NAMES_ONLY], context);
  // Not even without an import: the interpreter itself, or what it starts with.
  if (typeof rows === 'string') return [{ distribution: 'python', module: '', error: rows }];
  const names = [...new Set(rows.map(({ distribution }) => distribution))];
  const each = await pMap(
    names,
    async (name): Promise<readonly ImportRow[]> => {
      const answer = await importRun(image, [name], context);
      return typeof answer === 'string' ? [{ distribution: name, module: '', error: answer }] : answer;
    },
    { concurrency: 2 },
  );
  return each.flat().filter(isFailure);
}

function isFailure({ error }: ImportRow): boolean {
  return error !== '';
}

/** What it answers, or how the run ended that answered nothing. Under the image's own policy, network and limits. */
async function importRun(
  image: Image,
  names: readonly string[],
  context: PipelineContext,
): Promise<readonly ImportRow[] | string> {
  const program = { kind: 'code', code: IMPORT_TEST } as const;
  const { report } = await startProgram(
    { image, program, arguments: names, limits: {}, stdio: 'capture', cancel: context.signal },
    context,
  );
  const ended = await report;
  context.signal.throwIfAborted();
  if (ended.status === 'internal' || ended.status === 'rejected') {
    throw new RootcellarError('E_SANDBOX', `the import test: ${ended.error?.message ?? ended.status}`, {
      hint: 'rootcellar doctor',
    });
  }
  return importRows(ended) ?? `ended the program (${ended.status})`;
}
