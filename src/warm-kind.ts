import { canonicalJson, type Json } from './base/canonical-json.ts';
import type { Limits } from './recipe/recipe.ts';
import type { ProgramFile } from './run/launch-plan.ts';
import type { Language } from './run/parked-programs.ts';
import type { RunRequest } from './run-program.ts';
import type { ImageManifest } from './store/image-manifest.ts';

/** What runs must have in common to begin in the same parked cells. */
export interface WarmKind {
  readonly language: Language;
  /** Modules that are imported before the run. */
  readonly modules: readonly string[];
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
  const modules = language === 'python' ? neededModules(manifest.sandbox.preimport ?? [], file) : [];
  const key: Json = JSON.parse(
    JSON.stringify([
      image.diffId,
      image.architecture,
      manifest.sandbox,
      language,
      modules,
      limits,
      network ?? null,
      minimumTier ?? null,
      proc ?? null,
    ]),
  );
  return { language, modules, limits, request: { image, network, minimumTier, proc }, key: canonicalJson(key) };
}

function languageOf({ name }: ProgramFile, { interpreter }: ImageManifest): Language {
  return interpreter === undefined || /\.[cm]?js$/.test(name) ? 'node' : 'python';
}

/** How much of a program is looked at for what it imports; more would only be for whoever wants to keep us busy. */
const LONGEST_LOOK = 65_536;
const IMPORTED = /(?:^|[;:])[ \t]*(?:import|from)[ \t]+([^\n;#]{1,500})/gm;

/**
 * The first of `preimport` up to the last that the program imports, or a part of which it does. A guess by its text: it decides
 * how soon the program is done, and nothing else.
 */
export function neededModules(preimport: readonly string[], { content }: ProgramFile): readonly string[] {
  if (preimport.length === 0) return [];
  const text = Buffer.from(content.subarray(0, LONGEST_LOOK)).toString('latin1');
  const imported = Array.from(text.matchAll(IMPORTED), ([, names = '']) => names.split(' import ')[0] ?? '');
  const modules = new Set(imported.flatMap((names) => names.split(',')).map((name) => topOf(name.trim())));
  const last = preimport.findLastIndex((module) => modules.has(topOf(module)));
  return preimport.slice(0, last + 1);
}

/** `a.b as c` → `a` */
function topOf(name: string): string {
  return /^\w*/.exec(name)?.[0] ?? '';
}
