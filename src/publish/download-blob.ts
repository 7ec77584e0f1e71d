import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { drained } from '../store/drained.ts';
import type { Descriptor } from './oci-documents.ts';
import { unreachable } from './registry-fault.ts';
import type { Registry } from './registry-client.ts';

export interface BlobDownload extends Descriptor {
  /** Absolute; a new file. */
  readonly file: string;
  /** Told how many bytes have come. */
  readonly advance: (bytes: number) => void;
  /** Before going on where the last attempt brought something; 500 unless said. Doubles with each that did not. */
  readonly pauseMs?: number | undefined;
}

const MOST_FRUITLESS = 4;
const PAUSE_MS = 500;

/**
 * Downloads a blob and checks size and digest. Where the connection ends early it goes on from there, or anew, for as long as
 * attempts come further than those before. Throws what `Registry.send` throws, E_DIGEST_MISMATCH, and what the disk throws.
 */
export async function downloadBlob(registry: Registry, download: BlobDownload): Promise<void> {
  const descriptor = openSync(download.file, 'wx', 0o600);
  const state: State = { descriptor, hash: createHash('sha256'), size: 0, furthest: 0 };
  try {
    await receiveAll(registry, { download, state, fruitless: 0 });
  } finally {
    closeSync(descriptor);
  }
  const digest = `sha256:${state.hash.digest('hex')}`;
  if (digest !== download.digest) throw mismatch(registry, download, digest);
}

interface State {
  readonly descriptor: number;
  hash: ReturnType<typeof createHash>;
  size: number;
  /** The largest that `size` has been. */
  furthest: number;
}

interface Receiving {
  readonly download: BlobDownload;
  readonly state: State;
  /** Attempts in a row that brought nothing which none before had brought. */
  readonly fruitless: number;
}

async function receiveAll(registry: Registry, { download, state, fruitless }: Receiving): Promise<void> {
  let fault: unknown;
  try {
    await receive(registry, download, state);
  } catch (error) {
    registry.signal.throwIfAborted();
    if (error instanceof RootcellarError || isDiskError(error)) throw error;
    fault = error;
  }
  if (state.size >= download.size && fault === undefined) return;
  const wasted = state.size > state.furthest ? 0 : fruitless + 1;
  state.furthest = Math.max(state.furthest, state.size);
  if (wasted >= MOST_FRUITLESS) {
    throw unreachable(
      registry.reference.registry,
      fault ?? new Error(`it ended after ${state.size} of ${download.size} bytes`),
    );
  }
  await setTimeout((download.pauseMs ?? PAUSE_MS) * 2 ** wasted, undefined, { signal: registry.signal });
  await receiveAll(registry, { download, state, fruitless: wasted });
}

async function receive(registry: Registry, download: BlobDownload, state: State): Promise<void> {
  const { repository } = registry.reference;
  const answer = await registry.send({
    method: 'GET',
    path: `/v2/${repository}/blobs/${download.digest}`,
    headers: state.size === 0 ? {} : { range: `bytes=${state.size}-` },
    scopes: [`repository:${repository}:pull`],
    expected: [200, 206],
    action: `pull ${repository}`,
  });
  const start = /^bytes (\d{1,15})-/.exec(answer.header('content-range') ?? '')?.[1];
  const goesOn = answer.status === 206 && Number(start) === state.size;
  if (!goesOn && state.size > 0) restart(state);
  let isTooLong = false;
  await drained(answer.body, (chunk) => {
    isTooLong = state.size + chunk.length > download.size;
    if (isTooLong) return 'enough';
    append(state, chunk);
    download.advance(state.size);
    return 'more';
  });
  if (isTooLong) throw mismatch(registry, download, `more than ${download.size} bytes`);
}

function restart(state: State): void {
  ftruncateSync(state.descriptor, 0);
  state.size = 0;
  state.hash = createHash('sha256');
}

function append(state: State, chunk: Uint8Array): void {
  for (let written = 0; written < chunk.length;) {
    written += writeSync(state.descriptor, chunk, written, chunk.length - written, state.size + written);
  }
  state.hash.update(chunk);
  state.size += chunk.length;
}

/** Of writing, not of the network. */
function isDiskError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'syscall' in error &&
    ['write', 'ftruncate'].includes(String(error.syscall)) &&
    'code' in error &&
    error.code !== 'EPIPE'
  );
}

function mismatch({ reference }: Registry, { digest }: BlobDownload, got: string): RootcellarError {
  return new RootcellarError('E_DIGEST_MISMATCH', `registry \`${reference.registry}\`: blob ${digest}: got ${got}`, {
    hint: 'run it again, or ask whoever runs the registry',
  });
}
