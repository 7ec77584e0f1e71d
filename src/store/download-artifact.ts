import { setTimeout } from 'node:timers/promises';
import { hexOf, shortDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { LocatedArtifact } from '../resolve/resolution.ts';
import { hasArtifact } from './artifacts.ts';
import { requestBytes } from './byte-request.ts';
import type { Bytes, Client } from './byte-request.ts';
import { downloadError } from './download-failure.ts';
import type { Failure } from './download-failure.ts';
import { drained } from './drained.ts';
import { networkFault } from './network-fault.ts';
import { withLock } from './kernel-lock.ts';
import { PartialFile } from './partial-file.ts';
import type { Store } from './store.ts';

export interface DownloadJob {
  readonly store: Store;
  readonly client: Client;
  readonly located: LocatedArtifact;
  readonly signal: AbortSignal;
  /** The first pause before another attempt, in milliseconds; each further one is twice as long. */
  readonly retryDelayMs: number;
  /** Told how many bytes of the artifact are there now. */
  readonly advance: (bytes: number) => void;
}

interface Attempt extends DownloadJob {
  readonly partial: PartialFile;
  readonly url: string;
  /** Attempts on this address without progress, so far. */
  readonly fruitless: number;
}

const MOST_ATTEMPTS = 4;
const LONGEST_PAUSE_MS = 60_000;

/** Gets one artifact, whichever process is quicker. Throws E_DOWNLOAD, E_DOWNLOAD_GONE, E_DIGEST_MISMATCH, E_DISK_FULL, E_CANCELLED. */
export async function downloadArtifact(job: DownloadJob): Promise<void> {
  const { store, located, signal } = job;
  const { digest, size } = located.artifact;
  await withLock(store, { lock: `artifact-${hexOf(digest)}`, signal }, async () => {
    if (await hasArtifact(store, digest, size)) return;
    const partial = await PartialFile.open(store, digest);
    try {
      const failures = await tryUrls(job, partial, 0);
      if (failures !== undefined) throw downloadError(located.artifact, failures);
    } finally {
      await partial.close();
    }
  });
}

/** Undefined when one of the addresses, from the `index`th on, gave the artifact. */
async function tryUrls(job: DownloadJob, partial: PartialFile, index: number): Promise<readonly Failure[] | undefined> {
  const url = job.located.urls[index];
  if (url === undefined) return [];
  const failure = await tryUrl({ ...job, partial, url, fruitless: 0 });
  if (failure === undefined) return undefined;
  const others = await tryUrls(job, partial, index + 1);
  return others === undefined ? undefined : [failure, ...others];
}

/** Attempts go on for as long as they bring at least a 64th of the artifact each. */
async function tryUrl(attempt: Attempt): Promise<Failure | undefined> {
  const { partial, signal } = attempt;
  const before = partial.offset;
  const failure = await attemptOnce(attempt);
  if (failure?.kind !== 'transient') return failure;
  const isProgress = partial.offset - before >= Math.max(1, attempt.located.artifact.size / 64);
  const fruitless = isProgress ? 1 : attempt.fruitless + 1;
  const pauseMs = failure.retryAfterMs ?? attempt.retryDelayMs * 2 ** (fruitless - 1);
  if (fruitless >= MOST_ATTEMPTS || pauseMs > LONGEST_PAUSE_MS) return failure;
  await setTimeout(pauseMs, undefined, { signal }).catch(() => checkCancelled(signal));
  return tryUrl({ ...attempt, fruitless });
}

async function attemptOnce(attempt: Attempt): Promise<Failure | undefined> {
  const { partial, url, located, signal, client } = attempt;
  const { size } = located.artifact;
  if (partial.offset > size) partial.restart(url, undefined);
  const resumed = partial.offset;
  if (resumed === size) return finish(attempt, resumed);
  try {
    const validator = await partial.validatorFor(url);
    const answer = await requestBytes(client, { url, offset: resumed, validator, signal });
    if (answer.kind === 'no-range') return await startOver(attempt);
    if (answer.kind === 'busy') return { ...answer, kind: 'transient', url };
    if (answer.kind !== 'bytes') return { ...answer, url };
    const failure = await receive(attempt, answer);
    return failure ?? (await finish(attempt, resumed));
  } catch (error) {
    if (error instanceof RootcellarError) throw error;
    checkCancelled(signal);
    return { kind: 'transient', url, detail: networkFault(error) };
  }
}

/** Reads the body to its end, never more of it than the artifact has. */
async function receive({ partial, url, located, advance }: Attempt, answer: Bytes): Promise<Failure | undefined> {
  const { size } = located.artifact;
  if (answer.length !== undefined && answer.length !== size) {
    answer.body.destroy();
    return { kind: 'mismatch', url, expected: `${size} bytes`, got: `${answer.length} bytes` };
  }
  if (answer.start === 0) partial.restart(url, answer.validator);
  let isTooLong = false;
  await drained(answer.body, (chunk) => {
    isTooLong = partial.offset + chunk.length > size;
    if (isTooLong) return 'enough';
    partial.append(chunk);
    advance(partial.offset);
    return 'more';
  });
  if (isTooLong) {
    partial.restart(url, undefined);
    return { kind: 'mismatch', url, expected: `${size} bytes`, got: 'more' };
  }
  if (partial.offset === size) return undefined;
  return { kind: 'transient', url, detail: `the connection ended after ${partial.offset} of ${size} bytes` };
}

/** Bytes that came in parts may be of two different files: then the whole is asked for once more. */
async function finish(attempt: Attempt, resumed: number): Promise<Failure | undefined> {
  const { partial, url, located } = attempt;
  const got = partial.digest();
  if (got === located.artifact.digest) {
    await partial.publish();
    return undefined;
  }
  if (resumed > 0) return startOver(attempt);
  partial.restart(url, undefined);
  return { kind: 'mismatch', url, expected: shortDigest(located.artifact.digest), got: shortDigest(got) };
}

async function startOver(attempt: Attempt): Promise<Failure | undefined> {
  attempt.partial.restart(attempt.url, undefined);
  return attemptOnce(attempt);
}

function checkCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new RootcellarError('E_CANCELLED', 'downloads: stopped');
}
