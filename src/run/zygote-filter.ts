import type { Architecture } from '../base/architecture.ts';
import { CLONE_PROCESS_RULE } from './argument-rules.ts';
import {
  argumentOffset,
  AUDIT_ARCHITECTURE,
  BPF,
  DATA_OFFSET,
  encodeProgram,
  INSTRUCTION_BYTES,
  RETURN,
} from './bpf.ts';
import { compileFilter } from './filter-compiler.ts';
import type { SyscallPolicy } from './policy.ts';
import { ALLOW, type SyscallRule } from './syscall-rule.ts';
import { syscallNumber } from './syscall-tables.ts';

/**
 * What a zygote does besides its imports: it is started, forks, and its children go into a cell, give up what they got by
 * that, and confine themselves. Nothing here makes a namespace or a mount, traces, or makes a socket.
 */
const SET_UP: readonly string[] = [
  'capset',
  'chdir',
  'dup2',
  'dup3',
  'execve',
  'getsockname',
  'landlock_restrict_self',
  'prctl',
  'prlimit64',
  'recvmsg',
  'seccomp',
  'sendmsg',
  'setgroups',
  'setns',
  'setresgid',
  'setresuid',
  'setsid',
  'umask',
  'wait4',
];

/**
 * The filter of a zygote and, below their own, of all that it forks. What it does not allow it answers with ENOSYS by a value that
 * is weaker than a notification: so the program's own filter still has its calls named. Nobody can be its tracer.
 */
export function zygoteFilter(policy: SyscallPolicy, architecture: Architecture): Uint8Array {
  const rules = new Map<string, readonly SyscallRule[]>(policy.rules);
  for (const name of SET_UP) {
    if (syscallNumber(architecture, name) !== undefined) rules.set(name, [{ when: [], action: ALLOW }]);
  }
  rules.set('clone', [...(rules.get('clone') ?? []), CLONE_PROCESS_RULE]);
  const program = Uint8Array.from(compileFilter({ ...policy, rules }, architecture).program);
  const view = new DataView(program.buffer);
  for (let offset = 0; offset < program.length; offset += INSTRUCTION_BYTES) {
    if (view.getUint16(offset, true) !== BPF.RETURN) continue;
    const value = view.getUint32(offset + 4, true);
    if (value === RETURN.notify || value === RETURN.killProcess) view.setUint32(offset + 4, RETURN.trace, true);
  }
  return program;
}

/** The number of a descriptor that no program can have whose limit is not higher: BERTH_HANDOVER of native/berth.h. */
export const HANDOVER = 1000;

/**
 * A program's filter with one exception before it: sendmsg(2) on that descriptor, by which a program that a zygote has forked hands
 * over the filter's listener when it is loaded already.
 */
export function handoverFilter(program: Uint8Array, architecture: Architecture): Uint8Array {
  const sendmsg = syscallNumber(architecture, 'sendmsg');
  if (sendmsg === undefined) throw new Error('unreachable: no sendmsg');
  const exception = encodeProgram([
    { code: BPF.LOAD, jt: 0, jf: 0, k: DATA_OFFSET.architecture },
    { code: BPF.JUMP_EQUAL, jt: 0, jf: 5, k: AUDIT_ARCHITECTURE[architecture] },
    { code: BPF.LOAD, jt: 0, jf: 0, k: DATA_OFFSET.number },
    { code: BPF.JUMP_EQUAL, jt: 0, jf: 3, k: sendmsg },
    { code: BPF.LOAD, jt: 0, jf: 0, k: argumentOffset(0, 'low') },
    { code: BPF.JUMP_EQUAL, jt: 0, jf: 1, k: HANDOVER },
    { code: BPF.RETURN, jt: 0, jf: 0, k: RETURN.allow },
  ]);
  return Buffer.concat([exception, program]);
}
