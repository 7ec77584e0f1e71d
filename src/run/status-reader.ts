/** What `cell` observed of one run; all numbers come from the kernel or its own clock, none from the guest. */
export interface CellFacts {
  /** The step that failed, and the errno; then nothing was run. */
  readonly failure: { readonly step: string; readonly errno: number } | undefined;
  /** Why `cell` ended the run, when it did. */
  readonly cause: CellCause | undefined;
  /** How the main program ended, when it ended by itself. */
  readonly end: CellEnd | undefined;
  readonly uid: number | undefined;
  /** Layers that were set up, in the order in which they were. */
  readonly layers: readonly string[];
  readonly missing: readonly string[];
  readonly setupMicros: number;
  readonly wallMicros: number;
  /** User and system time of the main program and of its children that it waited for. */
  readonly usageMicros: number;
  /** Of a zygote: what its programs would have shared. */
  readonly anomaly: string | undefined;
  /** Of a parked cell: what all in it had used before its run began. */
  readonly beforeMicros: number;
  readonly denied: readonly { readonly auditArch: number; readonly nr: number; readonly count: number }[];
  /** Of a traced run: calls beyond the filter that were let through, each with its first arguments. */
  readonly traced: readonly TracedCall[];
  /** Calls of a traced run that there was no room for. */
  readonly untraced: number;
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
  /** The errno with which a stream could not be written to the caller's. */
  readonly lost: { readonly stdout: number | undefined; readonly stderr: number | undefined };
  /** Whether /tmp had no room left when the run was over. */
  readonly isTmpFull: boolean;
  /** The text of each cgroup file that was asked for, line feeds as blanks. */
  readonly readings: ReadonlyMap<string, string>;
  /** The most that the launcher measured itself, where no control group counts. */
  readonly watched: WatchedUse | undefined;
  /** Processes that were alive when the main program ended. */
  readonly survivors: number;
  readonly isCleanupProven: boolean;
  /** Whether the last record was there, so that `cell` was not killed itself. */
  readonly isComplete: boolean;
}

export interface WatchedUse {
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly tasks: number;
  readonly processorNanos: number;
}

export interface TracedCall {
  readonly auditArch: number;
  readonly nr: number;
  readonly count: number;
  /** Unsigned 64-bit values; at most the first five. */
  readonly arguments: readonly bigint[];
}

export type CellCause = 'wall' | 'cpu' | 'output' | 'denied' | 'cancelled' | 'memory' | 'disk';

export type CellEnd =
  | { readonly kind: 'exited'; readonly status: number }
  | { readonly kind: 'signalled'; readonly signal: number };

const CAUSES: ReadonlySet<string> = new Set<CellCause>([
  'wall',
  'cpu',
  'output',
  'denied',
  'cancelled',
  'memory',
  'disk',
]);

/**
 * Reads the status records of `cell`; their form is described in native/README.md.
 * An incomplete text gives what it has, with `isComplete` false. Throws on a line that `cell` cannot have written.
 */
export function readStatus(text: string): CellFacts {
  const lines = text.split('\n');
  // What follows the last line feed is the beginning of a record that was never finished.
  const records = lines.slice(0, -1).map((line) => line.split(' '));
  const rows = (key: string): string[][] => records.filter(([first]) => first === key).map((words) => words.slice(1));
  const unknown = records.find(([key]) => !KEYS.has(key ?? ''));
  if (unknown !== undefined) throw new Error(`unreachable: \`cell\` wrote ${JSON.stringify(unknown.join(' '))}`);
  const [failure] = rows('failed');
  return {
    failure: failure === undefined ? undefined : { step: failure[0] ?? '', errno: integer(failure[1]) },
    cause: rows('cause').map(([word]) => causeOf(word))[0],
    end: rows('end').map(endOf)[0],
    uid: rows('uid').map(([uid]) => integer(uid))[0],
    layers: rows('layer').map(([name]) => name ?? ''),
    missing: rows('missing').map(([name]) => name ?? ''),
    setupMicros: firstInteger(rows('setup')),
    wallMicros: firstInteger(rows('wall')),
    usageMicros: firstInteger(rows('usage')),
    anomaly: rows('anomaly').map(([word]) => word)[0],
    beforeMicros: firstInteger(rows('before')),
    denied: rows('denied').map(([arch, nr, count]) => ({
      auditArch: integer(arch),
      nr: integer(nr),
      count: integer(count),
    })),
    traced: rows('traced').map(([arch, nr, count, ...words]) => ({
      auditArch: integer(arch),
      nr: integer(nr),
      count: integer(count),
      arguments: words.map(register),
    })),
    untraced: firstInteger(rows('untraced')),
    truncated: {
      stdout: rows('truncated').some(([stream]) => stream === 'stdout'),
      stderr: rows('truncated').some(([stream]) => stream === 'stderr'),
    },
    lost: { stdout: errnoOf(rows('lost'), 'stdout'), stderr: errnoOf(rows('lost'), 'stderr') },
    isTmpFull: rows('full').some(([what]) => what === 'tmp'),
    readings: new Map(rows('reading').map(([label, ...words]) => [label ?? '', words.join(' ').trim()])),
    watched: watchedUse(rows('watched')),
    survivors: firstInteger(rows('survivors')),
    isCleanupProven: rows('cleanup').some(([word]) => word === 'proven'),
    isComplete: rows('done').length > 0,
  };
}

const KEYS: ReadonlySet<string> = new Set([
  'parked',
  'anomaly',
  'cell',
  'failed',
  'cause',
  'end',
  'uid',
  'layer',
  'missing',
  'setup',
  'wall',
  'usage',
  'before',
  'denied',
  'traced',
  'untraced',
  'truncated',
  'lost',
  'full',
  'reading',
  'watched',
  'survivors',
  'cleanup',
  'done',
]);

function watchedUse(rows: readonly (readonly string[])[]): WatchedUse | undefined {
  if (rows.length === 0) return undefined;
  const use = new Map(rows.map(([what, number]) => [what, integer(number)]));
  return {
    memoryBytes: use.get('memory') ?? 0,
    tasks: use.get('tasks') ?? 0,
    processorNanos: use.get('processor') ?? 0,
  };
}

function causeOf(word: string | undefined): CellCause {
  if (word === undefined || !isCause(word)) throw new Error(`unreachable: cause \`${word}\``);
  return word;
}

function isCause(word: string): word is CellCause {
  return CAUSES.has(word);
}

function endOf([kind, number]: readonly string[]): CellEnd {
  if (kind === 'exited') return { kind, status: integer(number) };
  if (kind === 'signalled') return { kind, signal: integer(number) };
  throw new Error(`unreachable: end \`${kind}\``);
}

/** Written as a signed number, meant as the bits of a register. */
function register(text: string): bigint {
  if (!/^-?\d{1,20}$/.test(text)) throw new Error(`unreachable: register \`${text}\``);
  return BigInt.asUintN(64, BigInt(text));
}

function errnoOf(rows: readonly (readonly string[])[], stream: string): number | undefined {
  const row = rows.find(([name]) => name === stream);
  return row === undefined ? undefined : integer(row[1]);
}

function firstInteger(rows: readonly (readonly string[])[]): number {
  const [first] = rows;
  return first === undefined ? 0 : integer(first[0]);
}

function integer(text: string | undefined): number {
  if (text === undefined || !/^-?\d{1,20}$/.test(text)) throw new Error(`unreachable: number \`${text}\``);
  return Number(text);
}
