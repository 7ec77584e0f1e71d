import { createHash } from 'node:crypto';
import type { RunReport } from '../../src/run/run-report.ts';
import type { Machine } from './machine.ts';

/** A run that goes on beside all attacks, and tells at its end whether anything disturbed it. */
export interface Neighbour {
  readonly end: () => Promise<{ readonly report: RunReport; readonly steps: number; readonly expected: string }>;
}

const NEIGHBOUR = `
import hashlib, os, time
place = os.environ.get("TMPDIR", "/tmp")
open(place + "/own", "w").write("mine")
value = b""
step = 0
while True:
    value = hashlib.sha256(value).digest()
    secret = open(place + "/own").read()
    print(step, value.hex()[:16], secret, ",".join(os.listdir(place)), flush=True)
    step += 1
    time.sleep(0.05)
`;

export function startNeighbour(machine: Machine): Neighbour {
  const { ended, cancel } = machine.start({
    program: { kind: 'code', code: NEIGHBOUR },
    limits: ['wall=20m', 'cpu=10m', 'output=8MiB'],
  });
  return {
    end: async () => {
      cancel();
      const observed = await ended;
      if ('refused' in observed) throw new Error(`the neighbour was refused: ${observed.message}`);
      const { report } = observed;
      const steps = (report.stdout ?? '').split('\n').length - 1;
      return { report, steps, expected: neighbourText(steps) };
    },
  };
}

function neighbourText(steps: number): string {
  let value: Uint8Array = Buffer.alloc(0);
  let text = '';
  for (let step = 0; step < steps; step += 1) {
    const digest = createHash('sha256').update(value).digest();
    value = digest;
    text += `${step} ${digest.toString('hex').slice(0, 16)} mine own\n`;
  }
  return text;
}
