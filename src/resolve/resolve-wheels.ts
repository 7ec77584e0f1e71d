import pMap from 'p-map';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { reasonFor, type Reasons, type WantedVersions } from './agreement.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import { withPackageIndex, type PackageIndex } from './index-client.ts';
import { isSet, type IndexSettings } from './index-settings.ts';
import { pipHelp, resolveWithPip } from './pip-resolver.ts';
import { failureError, judgedFailure, type PythonFailure } from './python-failure.ts';
import { indexAddresses, readMachineIndexes, type MachineIndexes } from './python-index.ts';
import type { PickedWheel, PythonAnswer, PythonRequest } from './python-resolution.ts';
import type { ResolverVersion, WheelArtifact } from './resolution.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';
import { tagRanks, wheelTags } from './python-tags.ts';
import { resolveWithUv, uvVersion } from './uv-resolver.ts';
import { bestWheel, parseWheelName } from './wheel-name.ts';

export interface WheelRequest extends Omit<PythonRequest, 'indexVariables' | 'preferences'> {
  readonly versions: WantedVersions;
  /** The recipe's own index. */
  readonly indexUrl: string | undefined;
  /** Unpacks the image's interpreter, for when it is needed. */
  readonly findInterpreter: () => Promise<UnpackedInterpreter>;
}

export interface WheelResolution {
  readonly wheels: readonly WheelArtifact[];
  /** Why some have other versions than the peer's. */
  readonly reasons: Reasons;
  readonly resolver: ResolverVersion;
}

const CONNECTIONS = 8;

/**
 * Resolves requirements to exact wheels, by uv where it is installed, else by pip. Throws E_REQUIREMENT_UNKNOWN,
 * E_REQUIREMENT_CONFLICT, E_REQUIREMENT_NO_WHEEL, E_INDEX_UNKNOWN, E_DOWNLOAD, E_RESOLVER_FAILED and E_RESOLVER_MISSING.
 */
export async function resolveWheels(request: WheelRequest, settings: ResolverSettings): Promise<WheelResolution> {
  const machine = await readMachineIndexes(settings);
  const version = await uvVersion(settings);
  const context = { settings, machine };
  const preferences = new Map([...request.versions.locked, ...request.versions.peer]);
  const question = { ...request, preferences };
  const outcome = version === undefined ? await askPip(question, context) : await askUv(question, context, version);
  const lastResort = async (): Promise<string> =>
    await pipHelp({ settings, interpreter: await request.findInterpreter() });
  const addresses = await indexAddresses(request.indexUrl, machine, { settings, lastResort });
  return await withPackageIndex({ addresses, netrc: machine.netrc, settings }, async (index) => {
    if (outcome.kind === 'failure') throw await failureByIndex(outcome, index);
    const wheels = await pMap(outcome.wheels, (wheel) => lockWheel(wheel, index), { concurrency: CONNECTIONS });
    const resolver = { name: outcome.tool, version: outcome.version };
    const reasons = await reasonsOf(wheels, request, index);
    return { wheels: wheels.toSorted((a, b) => byteOrder(a.name, b.name)), reasons, resolver };
  });
}

/** Whether the version that the peer has is not there for this architecture, or does not go with the others. */
async function reasonsOf(
  wheels: readonly WheelArtifact[],
  { versions, target }: WheelRequest,
  index: PackageIndex,
): Promise<Reasons> {
  const ranks = tagRanks(wheelTags(target));
  const reasons = new Map<string, string>();
  for (const { name, version } of wheels) {
    const wanted = versions.peer.get(name);
    if (wanted === undefined || wanted === version) continue;
    const files = (await index.files(name)).map(({ file }) => file);
    const fitting = files.filter((file) => parseWheelName(file)?.version === wanted);
    const has = bestWheel(fitting, ranks) !== undefined;
    reasons.set(
      name,
      has ? reasonFor(wanted, true, target.architecture) : `${wanted} has no wheel for ${target.architecture}`,
    );
  }
  return reasons;
}

type Question = WheelRequest & Pick<PythonRequest, 'preferences'>;

interface Context {
  readonly settings: ResolverSettings;
  readonly machine: MachineIndexes;
}

async function askUv(
  request: Question,
  { settings, machine }: Context,
  version: string,
): Promise<PythonAnswer | PythonFailure> {
  const findPython = async (): Promise<string> => (await request.findInterpreter()).program;
  const indexVariables = uvVariables(request.indexUrl, machine);
  return await resolveWithUv({ ...request, indexVariables }, { settings, version, findPython });
}

async function askPip(request: Question, { settings, machine }: Context): Promise<PythonAnswer | PythonFailure> {
  const tools = { settings, interpreter: await request.findInterpreter() };
  return await resolveWithPip({ ...request, indexVariables: pipVariables(request.indexUrl, machine) }, tools);
}

/** uv's own settings stand where there are any; the recipe's index replaces all; pip's are translated. */
export function uvVariables(
  indexUrl: string | undefined,
  machine: { readonly uv: IndexSettings; readonly pip: IndexSettings },
): Environment {
  if (indexUrl !== undefined) {
    const none = { UV_INDEX: undefined, UV_INDEX_URL: undefined, UV_EXTRA_INDEX_URL: undefined };
    return { ...none, UV_DEFAULT_INDEX: indexUrl, UV_NO_CONFIG: '1' };
  }
  if (isSet(machine.uv) || !isSet(machine.pip)) return {};
  return { UV_DEFAULT_INDEX: machine.pip.main, UV_EXTRA_INDEX_URL: machine.pip.extra.join(' ') };
}

/** As `uvVariables`, the other way round. */
export function pipVariables(
  indexUrl: string | undefined,
  machine: { readonly uv: IndexSettings; readonly pip: IndexSettings },
): Environment {
  if (indexUrl !== undefined) {
    const files = machine.pip.extra.length === 0 ? {} : { PIP_CONFIG_FILE: '/dev/null' };
    return { PIP_INDEX_URL: indexUrl, PIP_EXTRA_INDEX_URL: undefined, ...files };
  }
  if (isSet(machine.pip) || !isSet(machine.uv)) return {};
  return { PIP_INDEX_URL: machine.uv.main, PIP_EXTRA_INDEX_URL: machine.uv.extra.join(' ') };
}

async function failureByIndex(failure: PythonFailure, index: PackageIndex): Promise<RootcellarError> {
  if (failure.distribution === undefined) return failureError(failure);
  const files = await index.files(failure.distribution);
  return failureError(
    judgedFailure(
      failure,
      files.map(({ file }) => file),
    ),
  );
}

/** Size and upload time come from the index, whichever tool chose the wheel. */
async function lockWheel({ name, version, file, digest }: PickedWheel, index: PackageIndex): Promise<WheelArtifact> {
  const found = (await index.files(name)).find((row) => row.file === file && (row.digest ?? digest) === digest);
  if (found === undefined) {
    throw new RootcellarError(
      'E_RESOLVER_FAILED',
      `python requirement \`${name}\`: the package index does not list \`${file}\``,
      {
        hint: 'check that uv, pip and the recipe name the same index',
      },
    );
  }
  const size = await index.sizeOf(found);
  return { kind: 'wheel', name, version, file, size, digest, uploaded: found.uploaded };
}
