import { describe, expect, it } from 'vitest';
import { planCgroups } from '../../src/run/cgroup-plan.ts';

const LIMITS = { memoryBytes: 1_048_576, processes: 8 };

describe('planCgroups()', () => {
  it('limits memory and processes on a version 1 host, one directory per controller', () => {
    const versionOne = new Map([
      ['memory', '/c/memory/me'],
      ['pids', '/c/pids'],
      ['cpuacct', '/c/cpuacct'],
      ['cpu', '/c/cpu'],
      ['freezer', '/c/freezer'],
    ]);
    expect(planCgroups({ versionOne, versionTwo: undefined }, 'run-1', LIMITS)).toEqual({
      directories: ['/c/memory/me/run-1', '/c/pids/run-1', '/c/cpuacct/run-1', '/c/cpu/run-1'],
      settings: [
        { file: '/c/memory/me/run-1/memory.limit_in_bytes', value: '1048576', optional: false },
        { file: '/c/memory/me/run-1/memory.memsw.limit_in_bytes', value: '1048576', optional: true },
        { file: '/c/pids/run-1/pids.max', value: '9', optional: false },
      ],
      joins: ['/c/memory/me/run-1/tasks', '/c/pids/run-1/tasks', '/c/cpuacct/run-1/tasks', '/c/cpu/run-1/tasks'],
      startIn: undefined,
      readings: [
        { label: 'memory_peak', file: '/c/memory/me/run-1/memory.max_usage_in_bytes' },
        { label: 'memory_events', file: '/c/memory/me/run-1/memory.oom_control' },
        { label: 'processes_peak', file: '/c/pids/run-1/pids.peak' },
        { label: 'processes_events', file: '/c/pids/run-1/pids.events' },
        { label: 'cpu', file: '/c/cpuacct/run-1/cpuacct.usage' },
      ],
      cpu: { file: '/c/cpuacct/run-1/cpuacct.usage', unit: 'ns' },
    });
  });

  it('makes one directory for controllers that are mounted together', () => {
    const versionOne = new Map(['memory', 'pids', 'cpuacct', 'cpu'].map((controller) => [controller, '/c/all']));
    const plan = planCgroups({ versionOne, versionTwo: undefined }, 'r', LIMITS);
    expect(plan?.directories).toEqual(['/c/all/r']);
    expect(plan?.joins).toEqual(['/c/all/r/tasks']);
    expect(plan?.settings).toHaveLength(3);
    expect(plan?.cpu.file).toBe('/c/all/r/cpuacct.usage');
  });

  it('starts the cell in one directory on a version 2 host', () => {
    const versionTwo = { directory: '/c/me', controllers: ['cpu', 'memory', 'pids'] };
    expect(planCgroups({ versionOne: new Map(), versionTwo }, 'r', LIMITS)).toEqual({
      directories: ['/c/me/r'],
      settings: [
        { file: '/c/me/r/memory.max', value: '1048576', optional: false },
        { file: '/c/me/r/memory.swap.max', value: '0', optional: true },
        { file: '/c/me/r/memory.oom.group', value: '1', optional: true },
        { file: '/c/me/r/pids.max', value: '9', optional: false },
      ],
      joins: [],
      startIn: '/c/me/r',
      readings: [
        { label: 'memory_peak', file: '/c/me/r/memory.peak' },
        { label: 'memory_events', file: '/c/me/r/memory.events' },
        { label: 'processes_peak', file: '/c/me/r/pids.peak' },
        { label: 'processes_events', file: '/c/me/r/pids.events' },
        { label: 'cpu', file: '/c/me/r/cpu.stat' },
      ],
      cpu: { file: '/c/me/r/cpu.stat', unit: 'usage_usec' },
    });
  });

  it.each(['memory', 'pids', 'cpuacct'])('has no plan for a host without %s', (missing) => {
    const all = ['memory', 'pids', 'cpuacct'].filter((controller) => controller !== missing);
    const versionOne = new Map(all.map((controller) => [controller, `/c/${controller}`]));
    expect(planCgroups({ versionOne, versionTwo: undefined }, 'r', LIMITS)).toBeUndefined();
  });
});
