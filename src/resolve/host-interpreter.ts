import type { Architecture } from '../base/architecture.ts';
import { noProgress } from '../base/progress.ts';
import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { wantedVersions } from './agreement.ts';
import { withAptRoot, type AptRoot, type MachineApt } from './apt-root.ts';
import { minimalPackage } from './compiler-choice.ts';
import { resolveDebian, type DebianRequest } from './debian-resolver.ts';
import { unpackInterpreter, type UnpackedInterpreter } from './image-interpreter.ts';
import { interpreterOf } from './interpreter-facts.ts';
import type { DebArtifact, Interpreter, ResolvedTarget } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';

/** What the interpreter of an image is looked for with, for another architecture than the image's. */
export interface HostRequest {
  readonly machine: MachineApt;
  readonly settings: ResolverSettings;
  /** This machine's. */
  readonly host: Architecture;
  /** The recipe's packages, for an architecture. Its `packages` are not looked at. */
  readonly debianFor: (architecture: Architecture) => DebianRequest;
}

/** The image's interpreter as its suite has it for this machine, unpacked and ready to run. */
export async function unpackForHost(request: HostRequest, interpreter: Interpreter): Promise<UnpackedInterpreter> {
  return await withHostRoot(request, async (root, debian) => {
    await resolveDebian(root, { ...debian, packages: [] });
    return await unpackInterpreter({ root, debian, interpreter, settings: request.settings });
  });
}

/**
 * Packages of an interpreter that runs here and compiles what the image's would: the same version, from the same suite.
 * Says so and gives none where the archive has no such interpreter for this machine.
 */
export async function resolveCompilers(
  request: HostRequest,
  architecture: Architecture,
  target: ResolvedTarget,
): Promise<readonly DebArtifact[]> {
  const { interpreter } = target;
  if (interpreter === undefined) return [];
  const { host, settings } = request;
  const peer = { architecture, target, isKept: false };
  const pins = wantedVersions('debs', { previous: undefined, peer, upgrade: 'none' });
  const found = await withHostRoot(request, async (root, debian) =>
    resolveDebian(root, { ...debian, packages: [minimalPackage(interpreter)], pins }),
  ).catch((error: unknown) => {
    if (error instanceof RootcellarError && NOT_THERE.has(error.code)) return undefined;
    throw error;
  });
  const version = found === undefined ? undefined : interpreterOf(found.debs)?.version;
  if (found !== undefined && version === interpreter.version) return found.debs;
  (settings.progress ?? noProgress)({
    kind: 'warning',
    message: `bytecode for ${architecture}: the suite has ${version === undefined ? 'no' : `Python ${version}, not`} Python ${interpreter.version} for ${host}, so this machine cannot compile it`,
    hint: `build on a machine that is ${architecture}`,
  });
  return [];
}

/** The archive has nothing for this machine: no fault of the recipe, which is not for it. */
const NOT_THERE: ReadonlySet<ErrorCode> = new Set(['E_ARCHIVE_UNKNOWN', 'E_DEB_UNKNOWN', 'E_DEB_CONFLICT']);

async function withHostRoot<T>(
  { machine, settings, host, debianFor }: HostRequest,
  body: (root: AptRoot, debian: DebianRequest) => Promise<T>,
): Promise<T> {
  return await withAptRoot({ machine, settings, architecture: host }, (root) => body(root, debianFor(host)));
}
