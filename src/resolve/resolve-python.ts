import { dirname } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { wantedVersions, wantingOf } from './agreement.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import { sourceSettings } from './build-settings.ts';
import type { DebArtifact, Interpreter } from './resolution.ts';
import type { ResolveRequest, TargetRequest } from './resolve-recipe.ts';
import type { WheelResolution } from './resolve-wheels.ts';

interface PythonPart extends TargetRequest {
  readonly interpreter: Interpreter | undefined;
  /** One that runs here and resolves as the target's would, for when it is needed. */
  readonly findInterpreter: (interpreter: Interpreter) => Promise<UnpackedInterpreter>;
  /** The image's own packages, and those for building. */
  readonly debs: readonly DebArtifact[];
  readonly buildDebs: readonly DebArtifact[];
}

/** The wheels of a recipe's requirements for one architecture; undefined when it has none. */
export async function resolvePython(part: PythonPart): Promise<WheelResolution | undefined> {
  const { recipe, settings, architecture, interpreter } = part;
  const { python } = recipe;
  if (python === undefined || !wantsWheels(recipe)) return undefined;
  if (interpreter === undefined) {
    const message = `${recipe.file}: it has Python requirements, but no Python interpreter`;
    throw new RootcellarError('E_RECIPE_VALUE', message, { hint: 'add `python3` to `base.debian.packages`' });
  }
  const target = { architecture, pythonVersion: interpreter.version, glibc: interpreter.glibc };
  const versions = wantedVersions('wheels', wantingOf(part));
  const findInterpreter = once(async () => await part.findInterpreter(interpreter));
  const folder = dirname(recipe.file);
  const cutOff = cutOffOf(part);
  const sources = sourceSettings({ ...part, interpreter });
  const { resolveWheels } = await import('./resolve-wheels.ts');
  return await resolveWheels({ python, folder, target, versions, cutOff, findInterpreter, sources }, settings);
}

function wantsWheels({ python }: Recipe): boolean {
  return python !== undefined && python.lines.length + (python.direct ?? []).length > 0;
}

/** An architecture that joins others, which stay as they are locked, may take what those could. */
export function cutOffOf(request: ResolveRequest): number | undefined {
  const { recipe, settings, previous, architectures, upgrade } = request;
  const { cooldown } = recipe.python ?? {};
  if (cooldown === undefined) return undefined;
  const joins = architectures !== undefined && upgrade === 'none';
  return (joins ? previous?.cutOff : undefined) ?? settings.now - Math.floor(cooldown.ms / 1000);
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return async () => await (result ??= work());
}
