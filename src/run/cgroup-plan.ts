import type { CgroupHost } from './cgroup-host.ts';

/** The files that `cell` makes, writes, joins and reads. All paths are absolute; the plan is data, `cell` knows no layout. */
export interface CgroupPlan {
  /** Made in this order, removed in the reverse one. */
  readonly directories: readonly string[];
  readonly settings: readonly CgroupSetting[];
  /** Version 1: the `tasks` files into which the cell's first process writes itself before it does anything. */
  readonly joins: readonly string[];
  /** Version 2: the directory in which the first process starts. */
  readonly startIn: string | undefined;
  /** Read when every process is dead. A file that does not exist gives no reading. */
  readonly readings: readonly CgroupReading[];
  readonly cpu: CgroupCpuMeter;
}

export interface CgroupSetting {
  readonly file: string;
  readonly value: string;
  /** Whether the kernel may be without this file. */
  readonly optional: boolean;
}

export interface CgroupReading {
  readonly label: ReadingLabel;
  readonly file: string;
}

export type ReadingLabel = 'memory_peak' | 'memory_events' | 'processes_peak' | 'processes_events' | 'cpu';

/** `ns`: the file is one number. `usage_usec`: it has a line with that key. */
export interface CgroupCpuMeter {
  readonly file: string;
  readonly unit: 'ns' | 'usage_usec';
}

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

type Layout = Omit<CgroupPlan, 'cpu' | 'startIn'> & { readonly cpu?: CgroupCpuMeter; readonly startIn?: string };

/**
 * The control groups of one run, each named `name` and below the caller's own.
 * Undefined when the host lacks the memory, process or CPU-time controller, so that a run could not be limited.
 */
export function planCgroups(host: CgroupHost, name: string, limits: CgroupLimits): CgroupPlan | undefined {
  const layouts = [...versionOne(host, name, limits), ...versionTwo(host, name, limits)];
  const cpu = layouts.find((layout) => layout.cpu !== undefined)?.cpu;
  const readings = layouts.flatMap((layout) => layout.readings);
  const isCounted = (label: ReadingLabel): boolean => readings.some((reading) => reading.label === label);
  if (cpu === undefined || !isCounted('memory_events') || !isCounted('processes_events')) return undefined;
  return {
    directories: layouts.flatMap((layout) => layout.directories),
    settings: layouts.flatMap((layout) => layout.settings),
    joins: layouts.flatMap((layout) => layout.joins),
    startIn: layouts.find((layout) => layout.startIn !== undefined)?.startIn,
    readings,
    cpu,
  };
}

/** Source: Documentation/admin-guide/cgroup-v1/{memory,pids,cpuacct}.rst. */
function versionOne(host: CgroupHost, name: string, limits: CgroupLimits): Layout[] {
  const makers: [string, (directory: string) => Partial<Layout>][] = [
    ['memory', (directory) => memoryOne(directory, limits.memoryBytes)],
    ['pids', (directory) => processes(directory, limits.processes)],
    ['cpuacct', (directory) => cpuOne(directory)],
    // Its own share of the processor, so that one cell cannot starve the others: no setting is needed for that.
    ['cpu', () => ({})],
  ];
  const directories = new Map<string, Layout>();
  for (const [controller, make] of makers) {
    const parent = host.versionOne.get(controller);
    if (parent !== undefined) addLayout(directories, `${parent}/${name}`, make(`${parent}/${name}`));
  }
  return [...directories.values()];
}

/** Controllers that are mounted together share one directory, which must be made only once. */
function addLayout(layouts: Map<string, Layout>, directory: string, part: Partial<Layout>): void {
  const before = layouts.get(directory) ?? emptyLayout(directory);
  layouts.set(directory, {
    ...before,
    ...part,
    settings: [...before.settings, ...(part.settings ?? [])],
    readings: [...before.readings, ...(part.readings ?? [])],
  });
}

function emptyLayout(directory: string): Layout {
  // Not `cgroup.procs`: a thread that moves itself alone does not make the kernel stop all others, which takes long.
  return { directories: [directory], settings: [], joins: [`${directory}/tasks`], readings: [] };
}

function memoryOne(directory: string, bytes: number): Partial<Layout> {
  return {
    settings: [
      { file: `${directory}/memory.limit_in_bytes`, value: `${bytes}`, optional: false },
      // Memory and swap together; missing where the kernel does not count swap.
      { file: `${directory}/memory.memsw.limit_in_bytes`, value: `${bytes}`, optional: true },
    ],
    readings: [
      { label: 'memory_peak', file: `${directory}/memory.max_usage_in_bytes` },
      { label: 'memory_events', file: `${directory}/memory.oom_control` },
    ],
  };
}

function cpuOne(directory: string): Partial<Layout> {
  const file = `${directory}/cpuacct.usage`;
  return { readings: [{ label: 'cpu', file }], cpu: { file, unit: 'ns' } };
}

/** The cell's own first process counts too, hence one more. */
function processes(directory: string, limit: number): Partial<Layout> {
  return {
    settings: [{ file: `${directory}/pids.max`, value: `${limit + 1}`, optional: false }],
    readings: [
      { label: 'processes_peak', file: `${directory}/pids.peak` },
      { label: 'processes_events', file: `${directory}/pids.events` },
    ],
  };
}

/** Source: Documentation/admin-guide/cgroup-v2.rst. */
function versionTwo(host: CgroupHost, name: string, limits: CgroupLimits): Layout[] {
  const { versionTwo: two } = host;
  const controllers = new Set(two?.controllers.filter((controller) => !host.versionOne.has(controller)));
  if (two === undefined || controllers.size === 0) return [];
  const directory = `${two.directory}/${name}`;
  const memory = controllers.has('memory') ? memoryTwo(directory, limits.memoryBytes) : {};
  const pids = controllers.has('pids') ? processes(directory, limits.processes) : {};
  const cpu = { file: `${directory}/cpu.stat`, unit: 'usage_usec' } as const;
  return [
    {
      directories: [directory],
      joins: [],
      startIn: directory,
      settings: [...(memory.settings ?? []), ...(pids.settings ?? [])],
      readings: [...(memory.readings ?? []), ...(pids.readings ?? []), { label: 'cpu', file: cpu.file }],
      cpu,
    },
  ];
}

function memoryTwo(directory: string, bytes: number): Partial<Layout> {
  return {
    settings: [
      { file: `${directory}/memory.max`, value: `${bytes}`, optional: false },
      { file: `${directory}/memory.swap.max`, value: '0', optional: true },
      // One victim is as good as all: the run is over anyway, and half a run is worth nothing.
      { file: `${directory}/memory.oom.group`, value: '1', optional: true },
    ],
    readings: [
      { label: 'memory_peak', file: `${directory}/memory.peak` },
      { label: 'memory_events', file: `${directory}/memory.events` },
    ],
  };
}
