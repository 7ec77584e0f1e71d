import type { Architecture } from '../base/architecture.ts';
import type { DebArtifact, Interpreter, ResolvedTarget } from './resolution.ts';

type Targets = ReadonlyMap<Architecture, ResolvedTarget>;

/** Whose interpreter compiles a target's bytecode on this machine. */
export type CompilerChoice =
  /** The image's own, which runs here. */
  | { readonly kind: 'own' }
  /** Another one of the same version, brought by these packages. */
  | { readonly kind: 'other'; readonly debs: readonly DebArtifact[] }
  | { readonly kind: 'none'; readonly why: string };

/**
 * Bytecode is the same on every machine for one version of Python, whichever build of it compiles. So where the image's
 * interpreter does not run on `host`, that of the target for `host` serves, else the target's `compilers`.
 */
export function chooseCompiler(targets: Targets, architecture: Architecture, host: Architecture): CompilerChoice {
  if (architecture === host) return { kind: 'own' };
  const { interpreter, compilers = [], host: files } = targets.get(architecture) ?? {};
  if (interpreter === undefined) return { kind: 'none', why: 'the lockfile has no interpreter' };
  const native = targets.get(host);
  if (files !== undefined || native?.host !== undefined) {
    return { kind: 'none', why: `an interpreter of \`base.host\` runs on its own architecture only` };
  }
  if (native?.interpreter?.version === interpreter.version) {
    return { kind: 'other', debs: closureOf(minimalPackage(interpreter), native.debs) };
  }
  if (compilers.some((deb) => deb.architecture === host)) return { kind: 'other', debs: compilers };
  const version = native?.interpreter?.version;
  const has = version === undefined ? 'no interpreter' : `Python ${version}`;
  return { kind: 'none', why: `it takes Python ${interpreter.version}, and the lockfile has ${has} for ${host}` };
}

/** Whether the lockfile would have nothing that compiles this target's bytecode on `host`. */
export function lacksCompiler(targets: Targets, architecture: Architecture, host: Architecture): boolean {
  if (targets.get(architecture)?.interpreter === undefined || targets.has(host)) return false;
  return chooseCompiler(targets, architecture, host).kind === 'none';
}

/** The Debian package of an interpreter: `python3.13-minimal` has all that compiling takes. */
export function minimalPackage({ path }: Interpreter): string {
  return `${path.slice(path.lastIndexOf('/') + 1)}-minimal`;
}

/** A locked package with all that it depends on, in the order of `debs`. */
function closureOf(root: string, debs: readonly DebArtifact[]): readonly DebArtifact[] {
  const byName = new Map(debs.map((deb) => [deb.name, deb]));
  const wanted = new Set([root]);
  for (const name of wanted) for (const next of byName.get(name)?.depends ?? []) wanted.add(next);
  return debs.filter(({ name }) => wanted.has(name));
}
