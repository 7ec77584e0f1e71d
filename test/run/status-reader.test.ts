import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStatus } from '../../src/run/status-reader.ts';

const WHOLE = `cell 1
reading memory_events oom_kill_disable 0 under_oom 0 oom_kill 2${' '}
reading memory_peak 4096${' '}
uid 200003
layer mount-namespace
layer seccomp
missing landlock
setup 1500
wall 20000
cause wall
end signalled 9
usage 700
before 900
denied 3221225534 142 3
denied 3221225534 -1 1
traced 3221225534 56 2 18874385 -1 0 0 -4096
untraced 9
truncated stderr
lost stdout 28
full tmp
survivors 2
cleanup proven
done
`;

describe('readStatus()', () => {
  it('reads every record', () => {
    expect(readStatus(WHOLE)).toEqual({
      failure: undefined,
      cause: 'wall',
      end: { kind: 'signalled', signal: 9 },
      uid: 200_003,
      layers: ['mount-namespace', 'seccomp'],
      missing: ['landlock'],
      setupMicros: 1500,
      wallMicros: 20_000,
      usageMicros: 700,
      beforeMicros: 900,
      anomaly: undefined,
      denied: [
        { auditArch: 3_221_225_534, nr: 142, count: 3 },
        { auditArch: 3_221_225_534, nr: -1, count: 1 },
      ],
      traced: [
        {
          auditArch: 3_221_225_534,
          nr: 56,
          count: 2,
          arguments: [0x120_0011n, 2n ** 64n - 1n, 0n, 0n, 2n ** 64n - 4096n],
        },
      ],
      untraced: 9,
      truncated: { stdout: false, stderr: true },
      lost: { stdout: 28, stderr: undefined },
      isTmpFull: true,
      readings: new Map([
        ['memory_events', 'oom_kill_disable 0 under_oom 0 oom_kill 2'],
        ['memory_peak', '4096'],
      ]),
      survivors: 2,
      isCleanupProven: true,
      isComplete: true,
    });
  });

  it('reads a failure', () => {
    expect(readStatus('cell 1\nfailed root-tmp 40\ncleanup proven\ndone\n')).toMatchObject({
      failure: { step: 'root-tmp', errno: 40 },
      end: undefined,
      isComplete: true,
    });
  });

  it('is not complete when the text is cut anywhere', () => {
    fc.assert(
      fc.property(fc.nat(WHOLE.length - 1), (length) => {
        expect(readStatus(WHOLE.slice(0, length)).isComplete).toBe(false);
      }),
    );
  });

  it.each(['nonsense 1\n', 'end burnt 1\n', 'cause bad luck\n', 'setup soon\n', 'uid\n', 'failed root many\n'])(
    'refuses %j, which cell does not write',
    (text) => {
      expect(() => readStatus(text)).toThrow('unreachable');
    },
  );
});
