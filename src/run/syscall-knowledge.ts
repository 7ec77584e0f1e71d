import { ARCHITECTURES, type Architecture } from '../base/architecture.ts';
import type { SyscallKnowledge } from '../recipe/dify-import.ts';
import { DEFAULT_SANDBOX } from '../recipe/recipe.ts';
import { DANGEROUS_CALLS } from './dangerous-calls.ts';
import { compilePolicy } from './policy.ts';
import { syscallName } from './syscall-tables.ts';

/** What an import has to know to turn numbers of system calls into names beyond the default profile. */
export function syscallKnowledge(architecture: Architecture): SyscallKnowledge {
  const { rules } = compilePolicy(DEFAULT_SANDBOX.syscalls, architecture);
  return {
    nameOf: (number) => syscallName(architecture, number),
    elsewhere: (number) =>
      ARCHITECTURES.filter((other) => other !== architecture).flatMap((other) => {
        const name = syscallName(other, number);
        return name === undefined ? [] : [{ architecture: other, name }];
      })[0],
    isAllowed: (name) => rules.get(name)?.some(({ action }) => action.kind === 'allow') ?? false,
    dangerOf: (name) => DANGEROUS_CALLS.get(name),
  };
}
