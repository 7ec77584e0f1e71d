import type { Architecture } from '../../src/base/architecture.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { syscallName } from '../../src/run/syscall-tables.ts';

const LAST = 600;
/** `uretprobe` and `uprobe`: the kernel lets them pass by every filter, and kills whoever is no probe; see K1-uprobes. */
const UNFILTERED: ReadonlySet<number> = new Set([335, 336]);

/** The numbers that the profile `python` does not let through when all arguments are zero, and what must come of each. */
export interface NumberPlan {
  readonly numbers: readonly number[];
  readonly answers: readonly string[];
  /** Name, number and count, in the order of the numbers. */
  readonly denied: readonly (readonly [string, number, number])[];
}

export function numberPlan(architecture: Architecture): NumberPlan {
  const policy = compilePolicy({ profile: 'python', allow: [], deny: [] }, architecture);
  const filter = decodeFilter(compileFilter(policy, architecture).program);
  const rows = Array.from({ length: LAST + 1 }, (_, nr) => nr).flatMap((nr) => {
    if (architecture === 'amd64' && UNFILTERED.has(nr)) return [];
    const data = {
      number: nr,
      auditArchitecture: AUDIT_ARCHITECTURE[architecture],
      arguments: [0n, 0n, 0n, 0n, 0n, 0n],
    };
    const action = returnedAction(simulateFilter(filter, data));
    if (action?.kind === 'notify') return [{ nr, answer: 'EPERM', isNamed: true }];
    return action?.kind === 'errno' ? [{ nr, answer: action.name, isNamed: false }] : [];
  });
  return {
    numbers: rows.map(({ nr }) => nr),
    answers: rows.map(({ nr, answer }) => `${nr}: ${answer}`),
    denied: rows
      .filter(({ isNamed }) => isNamed)
      .map(({ nr }) => [syscallName(architecture, nr) ?? 'without a name', nr, 1]),
  };
}
