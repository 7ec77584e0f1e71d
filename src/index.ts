/** The public API: what a program needs to lock, build and run without the command line. */
export { RootcellarError, type ErrorCode, type Problem } from './base/rootcellar-error.ts';
export { noProgress, type Progress, type ProgressEvent } from './base/progress.ts';
export type { Architecture } from './base/architecture.ts';
export type { Digest } from './base/digest.ts';
export { connect, type Cellar, type ConnectOptions } from './client/connect.ts';
export type { ClientFile, ClientRun } from './client/client-run.ts';
export type { RunResult } from './client/run-result.ts';
export { buildImage, type BuildRequest } from './build-image.ts';
export { lockRecipe, type LockRequest, type LockResult } from './lock-recipe.ts';
export type { Lockfile } from './lock/lockfile.ts';
export type { PipelineContext } from './pipeline-context.ts';
export { readRecipe } from './recipe/recipe-files.ts';
export type { Limits, Recipe } from './recipe/recipe.ts';
export { policyVocabulary } from './run/policy.ts';
export type { Program } from './program-words.ts';
export type { OutputListener } from './run/launch-cell.ts';
export type { OutputRequest } from './run/output-files.ts';
export { startProgram, type InputFile, type RunRequest, type RunningProgram } from './run-program.ts';
export type { RunReport, RunStatus, StartKind } from './run/run-report.ts';
export type { Image } from './store/image-record.ts';
export { findImage, listImages } from './store/images.ts';
export {
  pruneStore,
  removeImage,
  type PruneReport,
  type PruneRequest,
  type RemoveRequest,
} from './store/prune-store.ts';
export { Store } from './store/store.ts';
export { storeHome } from './store/store-home.ts';
export { WarmPool, type PoolKindState, type WarmPoolSettings } from './warm-pool.ts';
