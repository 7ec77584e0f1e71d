import { describe, expect, it } from 'vitest';
import { encodePlan, type LaunchPlan } from '../../src/run/launch-plan.ts';
import { encodePreparedPlan, HOLE, PROGRAM_FORMS, type PreparedPlan } from '../../src/run/prepared-plan.ts';

const PLAN: LaunchPlan = {
  tier: 'A',
  root: '/rootfs/0',
  arguments: [],
  environment: { LANG: 'C.UTF-8' },
  workingDirectory: '/tmp',
  hostname: 'cell',
  program: undefined,
  identities: { firstUid: 52_000, count: 64, lockFile: '/run/cell-ids' },
  limits: { wallMs: 1, cpuMs: 2, outputBytes: 3, tmpBytes: 4, tmpInodes: 5, denials: 6 },
  resourceLimits: [],
  cgroups: undefined,
  watch: { memoryBytes: 7, processes: 8 },
  filter: new Uint8Array(8),
};

const PREPARED: PreparedPlan = {
  needs: ['chroot', 'children'],
  words: { code: ['/usr/bin/python3', '-c', HOLE], stdin: ['/usr/bin/python3', '-'] },
  texts: { timeout: 'a', cpu_limit: 'b', oom: 'c', disk_limit: 'd', output_limit: 'e', denied: 'f' },
  calls: ['read', '', 'open'],
  image: 'python',
  architecture: 'amd64',
  plan: PLAN,
};

/** The sections, each as its strings, and what is left: read as native/prepared.c does. */
function decoded(bytes: Buffer): { readonly sections: readonly (readonly string[])[]; readonly rest: Buffer } {
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('RCREADY\u0001');
  const sections: string[][] = [];
  let offset = 8;
  for (let index = 0; index < PROGRAM_FORMS.length + 4; index += 1) {
    const end = offset + 4 + bytes.readUInt32LE(offset);
    sections.push(
      bytes
        .toString('utf8', offset + 4, end)
        .split('\0')
        .slice(0, -1),
    );
    offset = end;
  }
  return { sections, rest: bytes.subarray(offset) };
}

describe('encodePreparedPlan()', () => {
  it('writes what native/prepared.h tells, and the plan as it is', () => {
    const { sections, rest } = decoded(Buffer.from(encodePreparedPlan(PREPARED)));
    expect(sections).toEqual([
      ['chroot', 'children'],
      ['/usr/bin/python3', '-c', '\u0001'],
      ['/usr/bin/python3', '-'],
      [],
      [],
      ['a', 'b', 'c', 'd', 'e', 'f'],
      ['read', '', 'open'],
      ['python', 'amd64'],
    ]);
    expect(rest).toEqual(Buffer.from(encodePlan(PLAN)));
  });
});
