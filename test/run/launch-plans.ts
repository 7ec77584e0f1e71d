import type { LaunchPlan } from '../../src/run/launch-plan.ts';

/** The smallest plan that has one of each thing. */
export const SMALL_PLAN: LaunchPlan = {
  tier: 'A',
  root: '/image',
  arguments: ['/bin/x'],
  environment: { LANG: 'C' },
  workingDirectory: '/tmp',
  hostname: 'cell',
  program: { name: 'main.py', content: Buffer.from('pass') },
  identities: { firstUid: 200_000, count: 16, lockFile: '/locks' },
  limits: { wallMs: 1000, cpuMs: 500, outputBytes: 10, tmpBytes: 4096, tmpInodes: 8, denials: 3 },
  resourceLimits: [{ resource: 'core', soft: 1, hard: 1 }],
  cgroups: {
    directories: ['/g'],
    settings: [{ file: '/g/max', value: '5', optional: true }],
    joins: ['/g/tasks'],
    startIn: undefined,
    readings: [{ label: 'cpu', file: '/g/usage' }],
    cpu: { file: '/g/usage', unit: 'ns' },
  },
  filter: Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]),
};
