import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { hostDisk } from './assemble/host-disk.ts';
import type { HostBytesSource } from './assemble/unpack-host.ts';
import type { Digest } from './base/digest.ts';
import { RootcellarError, type Problem } from './base/rootcellar-error.ts';
import { changesOf, lackingError, vendorHint, type HostCheck } from './check-host-files.ts';
import { hostBytes, type LockedHostFile } from './lock/locked-artifacts.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { checkVendored, type VendoredState } from './store/vendor-folder.ts';
import { vendoredHostNames } from './store/vendor-host.ts';
import { vendorPlan } from './store/vendor-names.ts';

export interface SupplyRequest extends HostCheck {
  /** Those that are to be read; `checkHostFiles` has been asked about the target. */
  readonly files: readonly LockedHostFile[];
}

export interface HostSupply extends HostBytesSource {
  /** For people: where most of the bytes come from. */
  readonly place: string;
}

const MACHINE = 'this machine';

/**
 * Where the bytes of a host's files come from: the vendor folder where it has them, else this machine. What the folder has
 * is read and checked here; what is wrong or missing in it is said, and must be on this machine as it was locked:
 * E_DIGEST_MISMATCH names wrong files of the folder, E_HOST_CHANGED missing ones.
 */
export async function hostSupply(request: SupplyRequest, context: PipelineContext): Promise<HostSupply> {
  const disk = hostDisk();
  const { vendor } = context;
  if (vendor === undefined) return { place: MACHINE, chunks: (path) => disk.chunks(path) };
  const names = await vendoredHostNames(vendor);
  if (!request.files.some(({ digest }) => names.has(digest)))
    return { place: MACHINE, chunks: (path) => disk.chunks(path) };
  const states = await checkAll({ vendor, names, files: request.files }, context);
  const isSound = ({ digest }: LockedHostFile): boolean => states.get(digest)?.kind === 'sound';
  const lacking = request.files.filter((file) => !isSound(file));
  if (lacking.length > 0) await takeFromMachine({ ...request, vendor, lacking, states }, context);
  const real = new Map<Digest, string>();
  for (const { artifact, path } of vendorPlan(hostBytes(request.files.filter(isSound)))) {
    real.set(artifact.digest, await realpath(join(vendor, path)));
  }
  const places = new Map(request.files.map(({ path, digest }) => [path, real.get(digest) ?? path]));
  return { place: `\`${vendor}\``, chunks: (path) => disk.chunks(places.get(path) ?? path) };
}

interface Vendored {
  readonly vendor: string;
  readonly names: ReadonlySet<Digest>;
  readonly files: readonly LockedHostFile[];
}

type States = ReadonlyMap<Digest, VendoredState>;

async function checkAll({ vendor, names, files }: Vendored, { signal }: PipelineContext): Promise<States> {
  const states = new Map<Digest, VendoredState>();
  for (const one of vendorPlan(hostBytes(files.filter(({ digest }) => names.has(digest))))) {
    signal.throwIfAborted();
    states.set(one.artifact.digest, await checkVendored(vendor, one, signal));
  }
  return states;
}

interface Lacking extends HostCheck {
  readonly vendor: string;
  readonly lacking: readonly LockedHostFile[];
  readonly states: States;
}

const MOST_NAMED = 10;

async function takeFromMachine(request: Lacking, context: PipelineContext): Promise<void> {
  const { vendor, lacking, states, architecture, recipe } = request;
  const hint = vendorHint(recipe, architecture);
  const changes = await changesOf({ files: lacking, folders: [] }, request, context);
  const digests = new Map(lacking.map(({ path, digest }) => [path, digest]));
  const faultOf = (path: string): string | undefined => {
    const state = states.get(digests.get(path) ?? 'sha256:');
    return state?.kind === 'wrong' ? `\`${state.path}\` ${state.fault}` : undefined;
  };
  const wrong = changes.flatMap(({ path, change }): Problem[] => {
    const fault = faultOf(path);
    const message = `host file \`${path}\`: ${fault}, and on this machine it ${change}`;
    return fault === undefined ? [] : [{ code: 'E_DIGEST_MISMATCH', message, hint }];
  });
  if (wrong.length > 0) throw RootcellarError.ofProblems(wrong.slice(0, MOST_NAMED));
  if (changes.length > 0) throw lackingError(changes, { vendor, architecture, recipe });
  const named = lacking.slice(0, MOST_NAMED).map(({ path }) => `\n  \`${path}\`: ${faultOf(path) ?? 'is not there'}`);
  const more = lacking.length > named.length ? `\n  and ${lacking.length - named.length} more` : '';
  const message = `\`${vendor}\`: ${lacking.length} files of the host are taken from this machine:${named.join('')}${more}`;
  context.progress({ kind: 'warning', message, hint });
}
