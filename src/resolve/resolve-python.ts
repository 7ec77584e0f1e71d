import { RootcellarError } from '../base/rootcellar-error.ts';
import { wantedVersions, wantingOf } from './agreement.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import type { Interpreter } from './resolution.ts';
import type { TargetRequest } from './resolve-recipe.ts';
import { resolveWheels, type WheelResolution } from './resolve-wheels.ts';

interface PythonPart extends TargetRequest {
  readonly interpreter: Interpreter | undefined;
  /** One that runs here and resolves as the target's would, for when it is needed. */
  readonly findInterpreter: (interpreter: Interpreter) => Promise<UnpackedInterpreter>;
}

/** The wheels of a recipe's requirements for one architecture; undefined when it has none. */
export async function resolvePython(part: PythonPart): Promise<WheelResolution | undefined> {
  const { recipe, settings, architecture, interpreter } = part;
  const lines = recipe.python?.lines ?? [];
  if (lines.length === 0) return undefined;
  if (interpreter === undefined) {
    const message = `${recipe.file}: it has Python requirements, but no Python interpreter`;
    throw new RootcellarError('E_RECIPE_VALUE', message, { hint: 'add `python3` to `base.debian.packages`' });
  }
  const target = { architecture, pythonVersion: interpreter.version, glibc: interpreter.glibc };
  const versions = wantedVersions('wheels', wantingOf(part));
  const findInterpreter = once(async () => await part.findInterpreter(interpreter));
  return await resolveWheels({ lines, target, versions, indexUrl: recipe.python?.indexUrl, findInterpreter }, settings);
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return async () => await (result ??= work());
}
