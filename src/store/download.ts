import { setMaxListeners } from 'node:events';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import type { Progress } from '../base/progress.ts';
import { formatSize } from '../base/units.ts';
import type { LocatedArtifact } from '../resolve/resolution.ts';
import { hasArtifact } from './artifacts.ts';
import type { DownloadJob } from './download-artifact.ts';
import type { Store } from './store.ts';

export interface DownloadOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
  /** Downloads at one time; 6 unless said. */
  readonly concurrency?: number | undefined;
  /** Where proxies and certificate authorities are set, as every program has it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Hosts, with or without `:PORT`, whose certificate is not checked. */
  readonly trustedHosts?: readonly string[] | undefined;
  /** Files with further authorities. */
  readonly authorities?: readonly string[] | undefined;
  /** Pause before the second attempt; 500 unless said. Doubles with each further one. */
  readonly retryDelayMs?: number | undefined;
}

/**
 * Brings all artifacts into the store. Returns when each is there and has been checked against its size and digest.
 * When one cannot be had, the others are stopped; what has come of them is kept for the next time. Throws one error with
 * all problems: E_DOWNLOAD, E_DOWNLOAD_GONE, E_DIGEST_MISMATCH, E_DISK_FULL, E_CANCELLED.
 */
export async function downloadArtifacts(
  store: Store,
  located: readonly LocatedArtifact[],
  options: DownloadOptions,
): Promise<void> {
  const missing = await missingArtifacts(store, located);
  if (missing.length === 0) return;
  const totalBytes = missing.reduce((sum, { artifact }) => sum + artifact.size, 0);
  const title = `${missing.length} artifacts`;
  options.progress({
    kind: 'begin',
    step: 'download',
    title: `download ${title}`,
    total: { items: missing.length, bytes: totalBytes },
  });
  const failures = await downloadAll(store, missing, { ...options, totalBytes });
  if (options.signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'downloads: stopped');
  if (failures.length > 0) throw batchError(failures);
  options.progress({ kind: 'end', step: 'download', summary: `${title}, ${formatSize(totalBytes)}` });
}

/** Each digest once. */
async function missingArtifacts(
  store: Store,
  located: readonly LocatedArtifact[],
): Promise<readonly LocatedArtifact[]> {
  const unique = [...new Map(located.map((one) => [one.artifact.digest, one])).values()];
  const there = await Promise.all(unique.map(({ artifact }) => hasArtifact(store, artifact.digest, artifact.size)));
  return unique.filter((_, index) => there[index] === false);
}

interface Batch extends DownloadOptions {
  readonly totalBytes: number;
}

/** The network library takes longer to load than a build with nothing to download takes: it is loaded here, late. */
async function downloadAll(
  store: Store,
  missing: readonly LocatedArtifact[],
  batch: Batch,
): Promise<readonly unknown[]> {
  const [{ openClient }, { downloadArtifact }] = await Promise.all([
    import('./byte-request.ts'),
    import('./download-artifact.ts'),
  ]);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(batch.signal === undefined ? [] : [batch.signal])]);
  setMaxListeners(0, signal);
  const client = await openClient(batch);
  const teller = createTeller(batch);
  const failures: unknown[] = [];
  const queue = missing.values();
  const work = async (): Promise<void> => {
    const next = queue.next();
    if (next.done === true || signal.aborted) return;
    const located = next.value;
    const advance = (bytes: number): void => teller.advance(located, bytes);
    const job: DownloadJob = { store, client, located, signal, retryDelayMs: batch.retryDelayMs ?? 500, advance };
    try {
      await downloadArtifact(job);
      teller.finish(located);
    } catch (error) {
      if (!isCancelled(error)) failures.push(error);
      stop.abort();
    }
    await work();
  };
  try {
    await Promise.all(Array.from({ length: batch.concurrency ?? 6 }, work));
  } finally {
    await client.close();
  }
  return failures;
}

function isCancelled(error: unknown): boolean {
  return (error instanceof RootcellarError && error.code === 'E_CANCELLED') || isErrno(error, 'ABORT_ERR');
}

interface Teller {
  /** `bytes` of the artifact are there now. */
  advance(located: LocatedArtifact, bytes: number): void;
  finish(located: LocatedArtifact): void;
}

/** Tells of progress each time that another 200th has come, and at each artifact's end. */
function createTeller({ progress, totalBytes }: Batch): Teller {
  const sizes = new Map<LocatedArtifact, number>();
  let bytes = 0;
  let items = 0;
  let told = 0;
  const count = (located: LocatedArtifact, now: number): void => {
    bytes += now - (sizes.get(located) ?? 0);
    sizes.set(located, now);
  };
  const tell = ({ artifact }: LocatedArtifact): void => {
    told = bytes;
    progress({ kind: 'advance', step: 'download', done: { items, bytes }, detail: artifact.name });
  };
  return {
    advance: (located, now) => {
      count(located, now);
      if (Math.abs(bytes - told) >= totalBytes / 200) tell(located);
    },
    finish: (located) => {
      count(located, located.artifact.size);
      items += 1;
      tell(located);
    },
  };
}

/** A fault that is no user's is passed on alone. */
function batchError(failures: readonly unknown[]): unknown {
  const problems: Problem[] = [];
  for (const failure of failures) {
    if (!(failure instanceof RootcellarError)) return failure;
    problems.push(...failure.problems);
  }
  const [first] = failures;
  return problems.length === 1 ? first : RootcellarError.ofProblems(problems);
}
