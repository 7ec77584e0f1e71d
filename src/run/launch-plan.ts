import { RootcellarError } from '../base/rootcellar-error.ts';
import { TIERS, type Tier } from '../recipe/recipe.ts';
import type { CgroupPlan } from './cgroup-plan.ts';
import { contentSize, type PlacedFile } from './input-files.ts';

/** Everything that `cell` needs to know for one run. It checks the form again before it takes the first step. */
export interface LaunchPlan {
  readonly tier: Tier;
  /**
   * C: the folder of slots of this root, absolute. D: the folder that is made for this run, absolute; its parent exists.
   * Undefined in A and B.
   */
  readonly place?: string | undefined;
  /** Absolute path, on the host, of the unpacked root filesystem. */
  readonly root: string;
  /** Absolute path of the file that stands for the image, locked as long as the launcher lives; undefined: nobody removes the root. */
  readonly imageLock?: string | undefined;
  /** What is executed, first its absolute path in the cell. */
  readonly arguments: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute path in the cell. */
  readonly workingDirectory: string;
  readonly hostname: string;
  /** Placed in the cell as `/run/program/<name>`, read-only. */
  readonly program: ProgramFile | undefined;
  readonly identities: IdentityRange;
  readonly limits: CellLimits;
  readonly resourceLimits: readonly ResourceLimit[];
  /** Undefined where there can be none: then `watch` limits the run. */
  readonly cgroups: CgroupPlan | undefined;
  readonly watch?: WatchLimits | undefined;
  /** How the program reaches others; undefined: it cannot. */
  readonly network?: CellNetwork | undefined;
  /** BPF program: an array of little-endian `struct sock_filter`. */
  readonly filter: Uint8Array;
  /** Lets through, and records, what the filter would have reported: for trusted programs only. */
  readonly isTraced?: boolean | undefined;
  /** Placed in /tmp as the program's own. The contents are sent apart from the plan, however large they are. */
  readonly files?: readonly PlacedFile[] | undefined;
  /** Taken out of /tmp when the run is over. */
  readonly outputs?: OutputPlan | undefined;
  /** Whether there is a /proc, of the cell's own processes. */
  readonly hasProc?: boolean | undefined;
  /** Whether the program only prepares the cell for a job, and waits for it: native/park.h. */
  readonly isParked?: boolean | undefined;
  /** Of a cell that forks the programs of others: where their launchers connect to, removed at its end: native/zygote.h. With `isParked`. */
  readonly zygote?: { readonly socket: string } | undefined;
  /** Of a cell whose program a zygote forks: where its launcher connects to, and as whom. With `isParked`. */
  readonly berth?: { readonly socket: string; readonly id: string } | undefined;
}

/** What a parked cell is given to run. Its other properties are those that it was made with. */
export type Job = Pick<LaunchPlan, 'arguments' | 'environment' | 'limits'> & { readonly program: ProgramFile };

export interface OutputPlan {
  /** Relative to /tmp. */
  readonly paths: readonly string[];
  /** Of all files together. */
  readonly mostBytes: number;
  /** Files and folders, together with those that cannot be taken. */
  readonly mostEntries: number;
}

/** What the launcher measures itself where no control group does. */
export interface WatchLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

export type CellNetwork =
  | {
      readonly kind: 'proxy';
      /** Where the program finds it, on 127.0.0.1. */
      readonly port: number;
      /** Absolute path of the proxy's socket; undefined: the proxy itself listens on that port, in the network that the cell has. */
      readonly socket: string | undefined;
    }
  /** The host's own; with the contents of `/etc/resolv.conf` and `/etc/hosts` for the cell. */
  | { readonly kind: 'host'; readonly resolver: string; readonly hosts: string };

export interface ProgramFile {
  /** One path component. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** User ids for concurrent cells, one each. The group id is the same number. */
export interface IdentityRange {
  readonly firstUid: number;
  readonly count: number;
  /** Absolute path of a file in which each id in use has one byte locked; made when missing. */
  readonly lockFile: string;
}

export interface CellLimits {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Of stdout and stderr, each. */
  readonly outputBytes: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  /** Denied system calls after which the run is ended. */
  readonly denials: number;
  /** Whether what is written to /tmp may be executed: builds run what they compile. No when undefined. */
  readonly executableTmp?: boolean | undefined;
}

export interface ResourceLimit {
  readonly resource: ResourceName;
  readonly soft: number;
  readonly hard: number;
}

export type ResourceName = keyof typeof RESOURCE_NUMBERS;

/** Where `cell` places the program file. */
export function programPath(name: string): string {
  return `/run/program/${name}`;
}

/** `RLIMIT_*`, the same on amd64 and arm64. Source: include/uapi/asm-generic/resource.h. */
const RESOURCE_NUMBERS = {
  cpu: 0,
  fileSize: 1,
  data: 2,
  stack: 3,
  core: 4,
  processes: 6,
  openFiles: 7,
  lockedMemory: 8,
  addressSpace: 9,
  pendingSignals: 11,
  messageQueue: 12,
  nice: 13,
  realtimePriority: 14,
} as const;

/** The tags of native/plan.h. */
const TAG = {
  root: 1,
  argument: 2,
  variable: 3,
  directory: 4,
  hostname: 5,
  identity: 6,
  program: 7,
  limits: 8,
  resourceLimit: 9,
  filter: 10,
  cgroupDirectory: 11,
  cgroupSetting: 12,
  cgroupReading: 13,
  cgroupCpu: 14,
  cgroupJoin: 15,
  cgroupInto: 16,
  trace: 17,
  tier: 18,
  watch: 19,
  file: 20,
  output: 21,
  proc: 22,
  park: 23,
  proxy: 24,
  hostNetwork: 25,
  zygote: 26,
  berth: 27,
  imageLock: 28,
} as const;

const MAGIC = 'RCELLAR\u0001';
/** The flags of native/plan.h. */
const OPTIONAL = 1;
const EXECUTABLE_TMP = 2;
const FOLDER = 4;
/** Of one argument or variable with its NUL: the kernel's MAX_ARG_STRLEN; see execve(2). */
const LONGEST_STRING = 131_072;
/** Of arguments and environment together; the kernel's is a quarter of the 8 MiB stack. */
const LONGEST_STRINGS = 1024 ** 2;
/** Of a job's, which pass through a socket: WORDS_LARGEST of native/park.c, less its two counts. */
const LONGEST_JOB_STRINGS = 131_072 - 8;
const MOST_STRINGS = 1024;
const MOST_OUTPUTS = 64;
const LARGEST_PLAN = 64 * 1024 ** 2;

/**
 * The bytes that `cell` reads from descriptor 3; format: native/plan.h.
 * Throws E_USAGE for an argument, variable, directory or program that no process could be given.
 */
export function encodePlan(plan: LaunchPlan): Uint8Array {
  const variables = Object.entries(plan.environment).map(([name, value]) => variableText(name, value));
  checkStrings([...plan.arguments, ...variables]);
  const bytes = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    record(TAG.root, text('root', plan.root)),
    ...(plan.imageLock === undefined ? [] : [record(TAG.imageLock, text('image lock', plan.imageLock))]),
    record(TAG.tier, tierBytes(plan)),
    ...plan.arguments.map((argument, index) => record(TAG.argument, text(`argument ${index}`, argument))),
    ...variables.map((variable) => record(TAG.variable, text('environment', variable))),
    record(TAG.directory, text('working directory', plan.workingDirectory)),
    record(TAG.hostname, text('hostname', plan.hostname)),
    record(TAG.identity, identityBytes(plan.identities)),
    ...(plan.program === undefined ? [] : [record(TAG.program, programBytes(plan.program))]),
    record(TAG.limits, limitsBytes(plan.limits), plan.limits.executableTmp === true ? EXECUTABLE_TMP : 0),
    ...plan.resourceLimits.map((limit) => record(TAG.resourceLimit, resourceLimitBytes(limit))),
    record(TAG.filter, plan.filter),
    ...(plan.cgroups === undefined ? [] : cgroupRecords(plan.cgroups)),
    ...(plan.watch === undefined ? [] : [record(TAG.watch, watchBytes(plan.watch))]),
    ...(plan.network === undefined ? [] : [networkRecord(plan.network)]),
    ...(plan.isTraced === true ? [record(TAG.trace, new Uint8Array())] : []),
    ...(plan.files ?? []).map(fileRecord),
    ...(plan.outputs === undefined ? [] : [outputRecord(plan.outputs)]),
    ...(plan.hasProc === true ? [record(TAG.proc, new Uint8Array())] : []),
    ...(plan.isParked === true ? [record(TAG.park, new Uint8Array())] : []),
    ...(plan.zygote === undefined ? [] : [record(TAG.zygote, text('socket', plan.zygote.socket))]),
    ...(plan.berth === undefined ? [] : [record(TAG.berth, berthBytes(plan.berth))]),
  ]);
  return boundedPlan(bytes);
}

/** The bytes that a parked cell reads from descriptor 7; format: native/park.h. Throws E_USAGE as `encodePlan` does. */
export function encodeJob({ arguments: words, environment, limits, program }: Job): Uint8Array {
  const variables = Object.entries(environment).map(([name, value]) => variableText(name, value));
  checkStrings([...words, ...variables]);
  const job = boundedPlan(
    Buffer.concat([
      Buffer.from(MAGIC, 'latin1'),
      ...words.map((argument, index) => record(TAG.argument, text(`argument ${index}`, argument))),
      ...variables.map((variable) => record(TAG.variable, text('environment', variable))),
      record(TAG.program, programBytes(program)),
      record(TAG.limits, limitsBytes(limits)),
    ]),
  );
  return Buffer.concat([uint32(job.length), job]);
}

/** Whether the words of a job can be sent to a parked cell. */
export function fitsParkedCell({ arguments: words, environment }: Pick<Job, 'arguments' | 'environment'>): boolean {
  const strings = [...words, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  return strings.reduce((sum, string) => sum + Buffer.byteLength(string) + 1, 0) <= LONGEST_JOB_STRINGS;
}

function boundedPlan(bytes: Buffer): Buffer {
  if (bytes.length < LARGEST_PLAN) return bytes;
  throw new RootcellarError('E_USAGE', `program: ${bytes.length} bytes are too many for one run`, {
    hint: 'put large files into the image',
  });
}

function fileRecord({ folder, name, mode, content }: PlacedFile): Buffer {
  const bytes = [uint32(mode), uint64(contentSize(content)), text('file', folder), text('file', name)];
  return record(TAG.file, Buffer.concat(bytes), content === undefined ? FOLDER : 0);
}

function outputRecord({ paths, mostBytes, mostEntries }: OutputPlan): Buffer {
  if (paths.length > MOST_OUTPUTS) {
    throw new RootcellarError('E_USAGE', `outputs: ${paths.length} are more than ${MOST_OUTPUTS}`, {
      hint: 'let the program put its files into one folder, and ask for that',
    });
  }
  const texts = paths.map((path) => text('output', path));
  return record(TAG.output, Buffer.concat([uint64(mostBytes), uint32(mostEntries), ...texts]));
}

function cgroupRecords(cgroups: CgroupPlan): Buffer[] {
  return [
    ...cgroups.directories.map((directory) => record(TAG.cgroupDirectory, textsOf(directory))),
    ...cgroups.settings.map(({ file, value, optional }) =>
      record(TAG.cgroupSetting, textsOf(file, value), optional ? OPTIONAL : 0),
    ),
    ...cgroups.readings.map(({ label, file }) => record(TAG.cgroupReading, textsOf(label, file))),
    record(TAG.cgroupCpu, Buffer.concat([uint32(cgroups.cpu.unit === 'ns' ? 0 : 1), textsOf(cgroups.cpu.file)])),
    ...cgroups.joins.map((file) => record(TAG.cgroupJoin, textsOf(file))),
    ...(cgroups.startIn === undefined ? [] : [record(TAG.cgroupInto, textsOf(cgroups.startIn))]),
  ];
}

function textsOf(...parts: readonly string[]): Buffer {
  return Buffer.concat(parts.map((part) => text('control group', part)));
}

function variableText(name: string, value: string): string {
  if (name === '' || name.includes('=')) {
    throw new RootcellarError('E_USAGE', `environment: ${JSON.stringify(name)} is no name of a variable`);
  }
  return `${name}=${value}`;
}

function checkStrings(strings: readonly string[]): void {
  const lengths = strings.map((string) => Buffer.byteLength(string) + 1);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (lengths.length > MOST_STRINGS || total > LONGEST_STRINGS || lengths.some((length) => length > LONGEST_STRING)) {
    throw new RootcellarError('E_USAGE', 'arguments and environment: too long for one process', {
      hint: 'pass large input through stdin',
    });
  }
}

/** The UTF-8 bytes of `value` and a NUL, so that C can use them in place. */
function text(thing: string, value: string): Buffer {
  if (value.includes('\0')) throw new RootcellarError('E_USAGE', `${thing}: has a NUL character in it`);
  return Buffer.from(`${value}\0`, 'utf8');
}

function tierBytes({ tier, place }: LaunchPlan): Buffer {
  const number = uint32(TIERS.indexOf(tier) + 1);
  return place === undefined ? number : Buffer.concat([number, text('place', place)]);
}

function berthBytes({ socket, id }: NonNullable<LaunchPlan['berth']>): Buffer {
  return Buffer.concat([text('socket', socket), text('berth', id)]);
}

function watchBytes({ memoryBytes, processes }: WatchLimits): Buffer {
  return Buffer.concat([uint64(memoryBytes), uint64(processes)]);
}

function identityBytes({ firstUid, count, lockFile }: IdentityRange): Buffer {
  return Buffer.concat([uint32(firstUid), uint32(count), text('identity lock file', lockFile)]);
}

function programBytes({ name, content }: ProgramFile): Buffer {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || Buffer.byteLength(name) > 255) {
    throw new RootcellarError('E_USAGE', `program: ${JSON.stringify(name)} is no file name`);
  }
  return Buffer.concat([text('program', name), content]);
}

function limitsBytes(limits: CellLimits): Buffer {
  const { wallMs, cpuMs, outputBytes, tmpBytes, tmpInodes, denials } = limits;
  return Buffer.concat([wallMs, cpuMs, outputBytes, tmpBytes, tmpInodes, denials].map(uint64));
}

function networkRecord(network: CellNetwork): Buffer {
  if (network.kind === 'proxy')
    return record(TAG.proxy, Buffer.concat([uint32(network.port), text('proxy socket', network.socket ?? '')]));
  const files = [text('/etc/resolv.conf', network.resolver), text('/etc/hosts', network.hosts)];
  return record(TAG.hostNetwork, Buffer.concat(files));
}

function resourceLimitBytes({ resource, soft, hard }: ResourceLimit): Buffer {
  return Buffer.concat([uint32(RESOURCE_NUMBERS[resource]), uint64(soft), uint64(hard)]);
}

function record(tag: number, bytes: Uint8Array, flags = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(tag, 0);
  header.writeUInt16LE(flags, 2);
  header.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
