import type { Architecture } from './base/architecture.ts';
import type { Digest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import type { LockedTarget, Lockfile } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { prepareArtifacts, type PreparedArtifact } from './prepare-artifacts.ts';
import type { Recipe } from './recipe/recipe.ts';
import { chooseCompiler } from './resolve/compiler-choice.ts';
import type { DebArtifact, Interpreter } from './resolve/resolution.ts';

/** The interpreter that compiles an image's bytecode on this machine. */
export interface Compiler {
  readonly interpreter: Interpreter;
  /** Of the machine that it runs on. */
  readonly architecture: Architecture;
  /** Of its own packages: with others, bytecode is compiled anew. */
  readonly digests: readonly Digest[];
  /** Its packages and what they need, unpacked in the store. */
  readonly prepare: () => Promise<readonly PreparedArtifact[]>;
}

export interface CompilerRequest {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  readonly target: LockedTarget;
  /** The image's own. */
  readonly interpreter: Interpreter;
  readonly prepared: readonly PreparedArtifact[];
}

/** Throws E_BYTECODE when the lockfile has no interpreter that runs on this machine and compiles what the image's would. */
export function findCompiler(request: CompilerRequest, context: PipelineContext): Compiler {
  const { recipe, lock, architecture, target, interpreter, prepared } = request;
  const { hostArchitecture: host } = context;
  const choice = chooseCompiler(lock.targets, architecture, host);
  if (choice.kind === 'none') {
    throw new RootcellarError('E_BYTECODE', `bytecode for ${architecture} on this machine: ${choice.why}`, {
      hint: compilerHint(request, host),
    });
  }
  if (choice.kind === 'own') {
    const digests = [...interpreterDigests(target.debs, interpreter), ...hostDigests(target, interpreter)];
    return { interpreter, architecture, digests, prepare: async () => prepared };
  }
  const { debs } = choice;
  // Those of the target for this machine: what is compiled for one serves the other.
  const digests = interpreterDigests(lock.targets.get(host)?.debs ?? debs, interpreter);
  const foreign = { ...target, debs, wheels: [] };
  return {
    interpreter,
    architecture: host,
    digests,
    prepare: async () =>
      prepareArtifacts({ recipe, architecture: host, target: foreign, format: lock.format }, context),
  };
}

function compilerHint({ lock, target, architecture }: CompilerRequest, host: Architecture): string {
  if (target.host !== undefined) return `build it on a machine with ${architecture}`;
  return lock.targets.has(host)
    ? 'run `rootcellar lock RECIPE --upgrade`, so that both have the same version'
    : `run \`rootcellar lock RECIPE\` on this machine, or add ${host} to its \`architectures\``;
}

function interpreterDigests(debs: readonly DebArtifact[], { version }: Interpreter): readonly Digest[] {
  const minor = /^\d+\.\d+/.exec(version)?.[0] ?? '';
  const own = new Set([`python${minor}-minimal`, `libpython${minor}-minimal`, `libpython${minor}-stdlib`]);
  return debs.filter(({ name }) => own.has(name)).map(({ digest }) => digest);
}

/** What of a host's files decides bytecode: the program under all its names, and the library that it is in. */
function hostDigests({ host }: LockedTarget, { path, version }: Interpreter): readonly Digest[] {
  const minor = /^\d+\.\d+/.exec(version)?.[0] ?? '';
  return (host?.files ?? []).flatMap((file) => {
    if (file.kind !== 'file') return [];
    const name = file.path.slice(file.path.lastIndexOf('/') + 1);
    const isCompiler = file.path === path || name === `python${minor}` || name.startsWith(`libpython${minor}.so`);
    return isCompiler ? [file.digest] : [];
  });
}
