import { canonicalJson, type Json } from './base/canonical-json.ts';
import type { Limits } from './recipe/recipe.ts';
import type { ProgramFile } from './run/launch-plan.ts';
import type { Language } from './run/parked-programs.ts';
import type { RunRequest } from './run-program.ts';
import type { ImageManifest } from './store/image-manifest.ts';

/** What runs must have in common to begin in the same parked cells. */
export interface WarmKind {
  readonly language: Language;
  /** As they are when the cell is made: those of time and output may be others for each run. */
  readonly limits: Limits;
  /** The image, and what of the request decides how a cell is made. */
  readonly request: Pick<RunRequest, 'image' | 'network' | 'minimumTier' | 'proc'>;
  /** Equal for equal kinds. */
  readonly key: string;
}

/** What a parked cell may use of the processor beyond its image's limit, before the kernel takes it for stuck. */
export const PARKED_CPU_MS = 60_000;

/** The program of a run that a parked cell could begin; undefined: it needs a cell of its own. */
export function warmProgram(request: RunRequest): ProgramFile | undefined {
  const { program, stdio, files = [], outputs = [], isTraced, lookup } = request;
  const isPlain = stdio !== 'inherit' && files.length === 0 && outputs.length === 0;
  const isCommon = isTraced !== true && lookup === undefined && program.kind === 'file';
  return isPlain && isCommon ? program.file : undefined;
}

/** Undefined where no parked cell could hold the run to its limits. */
export function warmKind(request: RunRequest, file: ProgramFile, manifest: ImageManifest): WarmKind | undefined {
  const { image, network, minimumTier, proc } = request;
  const own = manifest.sandbox.limits;
  const wanted = { ...own, ...request.limits };
  if (wanted.cpuMs >= own.cpuMs + PARKED_CPU_MS) return undefined;
  const { memoryBytes, processes, tmpBytes, openFiles } = wanted;
  const limits = { ...own, memoryBytes, processes, tmpBytes, openFiles };
  const language = languageOf(file, manifest);
  const key: Json = JSON.parse(
    JSON.stringify([
      image.diffId,
      image.architecture,
      language,
      limits,
      network ?? null,
      minimumTier ?? null,
      proc ?? null,
    ]),
  );
  return { language, limits, request: { image, network, minimumTier, proc }, key: canonicalJson(key) };
}

function languageOf({ name }: ProgramFile, { interpreter }: ImageManifest): Language {
  return interpreter === undefined || /\.[cm]?js$/.test(name) ? 'node' : 'python';
}
