import pMap from 'p-map';
import type { Architecture } from '../base/architecture.ts';
import { noProgress } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { DEBIAN_KEYRING, readMachineApt, withAptRoot, type AptRoot, type MachineApt } from './apt-root.ts';
import { resolveDebian, type DebianRequest, type DebianResolution } from './debian-resolver.ts';
import { sourcesForSuite } from './debian-sources.ts';
import { newestDate } from './epoch.ts';
import { unpackInterpreter } from './image-interpreter.ts';
import { interpreterOf } from './interpreter-facts.ts';
import type { Interpreter, Resolution, ResolvedTarget, ResolverVersion } from './resolution.ts';
import { resolveWheels, type WheelResolution } from './resolve-wheels.ts';
import { mayUpgrade, type ResolverSettings, type Upgrade } from './resolver-settings.ts';

export interface ResolveRequest {
  readonly recipe: Recipe;
  /** What is locked now; its versions stay where nothing speaks against it. */
  readonly previous?: Pick<Resolution, 'targets'> | undefined;
  readonly upgrade: Upgrade;
  readonly settings: ResolverSettings;
}

/**
 * Recipe → the exact artifacts of each of its architectures. Needs apt, and for Python requirements uv or the means to
 * run pip. The errors are those of `resolveDebian` and `resolveWheels`, and E_RECIPE_VALUE for requirements without an
 * interpreter.
 */
export async function resolveRecipe(request: ResolveRequest): Promise<Resolution> {
  const { recipe, settings } = request;
  const progress = settings.progress ?? noProgress;
  progress({ kind: 'begin', step: 'resolve', title: recipe.name });
  const machine = await readMachineApt(settings);
  const results = await pMap(
    recipe.architectures,
    (architecture) => resolveTarget({ ...request, machine, architecture }),
    { concurrency: 1 },
  );
  const targets = new Map(results.map(({ architecture, target }) => [architecture, target]));
  const epoch = newestDate([...targets.values()]);
  if (epoch.seconds > settings.now + DAY) {
    progress({
      kind: 'warning',
      message: `${epoch.from}: its date is in the future`,
      hint: 'check the clock of this machine',
    });
  }
  const count = results.map(({ target }) => `${target.debs.length} debs, ${target.wheels.length} wheels`).join('; ');
  progress({ kind: 'end', step: 'resolve', summary: count });
  return {
    epoch,
    resolvers: resolversOf([
      { name: 'apt', version: machine.version },
      ...results.flatMap(({ resolver }) => resolver ?? []),
    ]),
    targets,
  };
}

const DAY = 86_400;

interface TargetRequest extends ResolveRequest {
  readonly machine: MachineApt;
  readonly architecture: Architecture;
}

interface TargetResult {
  readonly architecture: Architecture;
  readonly target: ResolvedTarget;
  readonly resolver: ResolverVersion | undefined;
}

async function resolveTarget(request: TargetRequest): Promise<TargetResult> {
  const { architecture, settings, previous } = request;
  const progress = settings.progress ?? noProgress;
  return await withAptRoot(request, async (root) => {
    const debian = debianRequest(request);
    progress({ kind: 'advance', step: 'resolve', done: {}, detail: `debian packages for ${architecture}` });
    const resolution = await resolveDebian(root, debian);
    const { debs, indexes } = keptIndexes(resolution, previous?.targets.get(architecture));
    const interpreter = interpreterOf(debs);
    progress({
      kind: 'advance',
      step: 'resolve',
      done: { items: debs.length },
      detail: `python packages for ${architecture}`,
    });
    const python = await resolvePython({ ...request, root, debian, interpreter });
    const target = { interpreter, indexes, debs, wheels: python?.wheels ?? [] };
    return { architecture, target, resolver: python?.resolver };
  });
}

function debianRequest({ recipe, previous, upgrade, settings, machine, architecture }: TargetRequest): DebianRequest {
  const { suite, components, mirror, packages } = recipe.base;
  const locked = previous?.targets.get(architecture)?.debs ?? [];
  return {
    suite,
    packages,
    sources: sourcesForSuite(machine.entries, {
      suite,
      components,
      mirror,
      architecture,
      hostCodename: machine.codename,
      defaultKeyring: DEBIAN_KEYRING,
    }),
    pins: new Map(locked.filter(({ name }) => !mayUpgrade(upgrade, name)).map(({ name, version }) => [name, version])),
    warn: (message) => (settings.progress ?? noProgress)({ kind: 'warning', message }),
  };
}

/** The indexes change several times a day; where the packages are still the locked ones, so are their vouchers. */
function keptIndexes(now: DebianResolution, previous: ResolvedTarget | undefined): DebianResolution {
  const isSame =
    previous !== undefined &&
    previous.debs.length === now.debs.length &&
    previous.debs.every((deb, index) => deb.digest === now.debs[index]?.digest && deb.suite === now.debs[index].suite);
  return isSame ? { debs: now.debs, indexes: previous.indexes } : now;
}

interface PythonPart extends TargetRequest {
  readonly root: AptRoot;
  readonly debian: DebianRequest;
  readonly interpreter: Interpreter | undefined;
}

async function resolvePython(part: PythonPart): Promise<WheelResolution | undefined> {
  const { recipe, previous, upgrade, settings, architecture, interpreter } = part;
  const lines = recipe.python?.lines ?? [];
  if (lines.length === 0) return undefined;
  if (interpreter === undefined) {
    throw new RootcellarError(
      'E_RECIPE_VALUE',
      `${recipe.file}: it has Python requirements, but no Python interpreter`,
      {
        hint: 'add `python3` to `base.debian.packages`',
      },
    );
  }
  const locked = previous?.targets.get(architecture)?.wheels ?? [];
  const preferences = new Map(
    locked.filter(({ name }) => !mayUpgrade(upgrade, name)).map(({ name, version }) => [name, version]),
  );
  const target = { architecture, pythonVersion: interpreter.version, glibc: interpreter.glibc };
  const findInterpreter = (): ReturnType<typeof unpackInterpreter> => unpackInterpreter({ ...part, interpreter });
  return await resolveWheels(
    { lines, target, preferences, indexUrl: recipe.python?.indexUrl, findInterpreter },
    settings,
  );
}

function resolversOf(all: readonly ResolverVersion[]): readonly ResolverVersion[] {
  return [...new Map(all.map((resolver) => [resolver.name, resolver])).values()];
}
