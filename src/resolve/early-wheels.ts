import { setMaxListeners } from 'node:events';
import { noProgress, type ProgressEvent } from '../base/progress.ts';
import type { Interpreter } from './resolution.ts';
import { resolvePython } from './resolve-python.ts';
import type { TargetRequest } from './resolve-recipe.ts';
import type { WheelResolution } from './resolve-wheels.ts';

/** Wheels that are resolved before it is known for which interpreter. */
export interface EarlyWheels {
  /** They, where they are for this interpreter; undefined: they are not, or could not be had this way. */
  readonly take: (interpreter: Interpreter | undefined) => Promise<WheelResolution | undefined>;
  /** To be awaited whatever happens: nothing of it goes on afterwards. */
  readonly end: () => Promise<void>;
}

/**
 * Resolves wheels beside the Debian packages, for the interpreter that is locked: most of the time it stays, and apt takes as
 * long as the package index. Not where wheels are built, for which those packages have to be known.
 */
export function resolveEarly(request: TargetRequest): EarlyWheels {
  const { recipe, previous, architecture, settings } = request;
  const guess = previous?.targets.get(architecture)?.interpreter;
  if (guess === undefined || (recipe.python?.buildFromSource ?? []).length > 0) return NONE;
  const controller = new AbortController();
  const { signal } = controller;
  // Each request listens: `command-context.ts`.
  setMaxListeners(0, signal);
  const stop = (): void => controller.abort();
  settings.signal?.addEventListener('abort', stop);
  const events: ProgressEvent[] = [];
  const progress = (event: ProgressEvent): void => void events.push(event);
  const part = { ...request, interpreter: guess, findInterpreter: notYet, debs: [], buildDebs: [] };
  // Who resolves them again is told what is wrong.
  const resolving = resolvePython({ ...part, settings: { ...settings, signal, progress } }).catch(() => undefined);
  return {
    take: async (interpreter) => {
      if (interpreter?.version !== guess.version || interpreter.glibc !== guess.glibc) return undefined;
      const wheels = await resolving;
      if (wheels !== undefined) for (const event of events) (settings.progress ?? noProgress)(event);
      return wheels;
    },
    end: async () => {
      settings.signal?.removeEventListener('abort', stop);
      stop();
      await resolving;
    },
  };
}

function notYet(): Promise<never> {
  return Promise.reject(new Error('there is no interpreter yet'));
}

const NONE: EarlyWheels = { take: () => Promise.resolve(undefined), end: () => Promise.resolve() };
