import { noProgress } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { HostPython } from './host-machine.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import type { HostContent, ResolvedTarget, ResolverVersion, SharedObject, WheelArtifact } from './resolution.ts';
import { resolvePython } from './resolve-python.ts';
import type { TargetRequest, TargetResult } from './resolve-recipe.ts';

/**
 * One architecture of a recipe whose base is this machine. Wheels come before files, because this machine's own copies of
 * what they bring are left out. Throws E_HOST_PYTHON for an architecture that is not this machine's: its interpreter would
 * have to be run.
 */
export async function resolveHost(request: TargetRequest): Promise<TargetResult> {
  const { architecture, recipe, settings, host: machine } = request;
  const { base } = recipe;
  if (machine === undefined || base.kind !== 'host') throw new Error('unreachable: no machine for a base that is none');
  const progress = settings.progress ?? noProgress;
  if (architecture !== settings.hostArchitecture) {
    const message = `base.host: this machine is ${settings.hostArchitecture}, and cannot ask a Python for ${architecture}`;
    const hint = `rootcellar lock RECIPE --arch ${settings.hostArchitecture}, and the other on a machine of its own`;
    throw new RootcellarError('E_HOST_PYTHON', message, { hint, place: base.place });
  }
  const asked = { base, architecture, signal: settings.signal };
  const python = await machine.inspect(asked);
  progress({ kind: 'advance', step: 'resolve', done: {}, detail: `python packages for ${architecture}` });
  const resolution = keptWheels(request, python) ?? (await resolveWheelsFor(request, python));
  progress({ kind: 'advance', step: 'resolve', done: {}, detail: `files of this machine for ${architecture}` });
  const { wheels } = resolution;
  const warn = (message: string): void => progress({ kind: 'warning', message });
  const sonames = recipe.sharedObjects?.[architecture] ?? [];
  const host = await machine.collect({ ...asked, python, wheels: wheels.map(({ name }) => name), sonames, warn });
  const sharedObjects = sonames.length === 0 ? {} : { sharedObjects: foundObjects(sonames, host) };
  const target: ResolvedTarget = {
    interpreter: python.interpreter,
    indexes: [],
    debs: [],
    wheels,
    host,
    ...sharedObjects,
  };
  return { target, resolver: resolution.resolver, reasons: resolution.reasons };
}

/** Where the files that were collected have them: a name that is not there was refused before. */
function foundObjects(sonames: readonly string[], { files }: HostContent): readonly SharedObject[] {
  return sonames.flatMap((soname) => {
    const found = files.find(({ kind, path }) => kind !== 'left_out' && path.endsWith(`/${soname}`));
    return found === undefined ? [] : [{ soname, path: found.path, from: 'this machine' }];
  });
}

interface HostWheels extends Pick<TargetResult, 'reasons'> {
  readonly wheels: readonly WheelArtifact[];
  readonly resolver: ResolverVersion | undefined;
}

/** Files of a host are looked at at every lock; that needs no index as long as wheels cannot have changed. */
function keptWheels(request: TargetRequest, now: HostPython): HostWheels | undefined {
  const { previous, isCurrent, upgrade, architecture } = request;
  const before = previous?.targets.get(architecture);
  if (before?.interpreter === undefined || isCurrent !== true || upgrade !== 'none') return undefined;
  const { version, glibc } = before.interpreter;
  if (version !== now.interpreter.version || glibc !== now.interpreter.glibc) return undefined;
  const resolver = before.wheels.length === 0 ? undefined : previous?.resolvers?.find(({ name }) => name !== 'apt');
  return { wheels: before.wheels, resolver, reasons: new Map() };
}

async function resolveWheelsFor(request: TargetRequest, python: HostPython): Promise<HostWheels> {
  const findInterpreter = async (): Promise<UnpackedInterpreter> => withPip(python);
  const none = { wheels: [], resolver: undefined, reasons: new Map<string, string>() };
  return (
    (await resolvePython({
      ...request,
      interpreter: python.interpreter,
      findInterpreter,
      debs: [],
      buildDebs: [],
    })) ?? none
  );
}

function withPip({ program, pip }: HostPython): UnpackedInterpreter {
  if (pip !== undefined) return { program, pip };
  throw new RootcellarError('E_RESOLVER_MISSING', `\`${program}\`: has no pip, and this machine has no uv`, {
    hint: 'install uv, or pip for this interpreter',
  });
}
