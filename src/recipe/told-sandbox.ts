import type { NetworkSettings } from './network.ts';
import { sandboxSchema } from './recipe-schema.ts';
import type { SandboxSettings } from './recipe.ts';
import type { SyscallVocabulary } from './syscall-vocabulary.ts';

/**
 * The settings that an image tells, by the rules that recipes have to keep: names exist, limits are in range. Undefined when
 * they do not. Modules to import ahead are kept where they are names of modules.
 */
export function checkedSandbox(told: SandboxSettings, vocabulary: SyscallVocabulary): SandboxSettings | undefined {
  const { syscalls, network, limits, minimumTier, proc, preimport } = told;
  const asWritten = {
    syscalls,
    network: networkAsWritten(network),
    limits: {
      memory: `${limits.memoryBytes}B`,
      processes: limits.processes,
      cpu: `${limits.cpuMs}ms`,
      wall: `${limits.wallMs}ms`,
      output: `${limits.outputBytes}B`,
      tmp: `${limits.tmpBytes}B`,
      open_files: limits.openFiles,
    },
    minimum_tier: minimumTier,
    ...(proc === true ? { proc } : {}),
  };
  const { success, data } = sandboxSchema(vocabulary).safeParse(asWritten);
  if (!success || preimport?.every((name) => MODULE.test(name)) === false) return undefined;
  return preimport === undefined ? data : { ...data, preimport };
}

const MODULE = /^[A-Za-z_]\w{0,99}(?:\.[A-Za-z_]\w{0,99}){0,20}$/;

function networkAsWritten(network: NetworkSettings): unknown {
  if (network === 'none') return network;
  if (network.mode === 'proxy') return network.allow.length === 0 ? 'proxy' : { proxy: { allow: network.allow } };
  const { noProxy, ...addresses } = network.proxies;
  return { host: { ...addresses, ...(noProxy === undefined ? {} : { no_proxy: noProxy }) } };
}
