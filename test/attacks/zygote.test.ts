import { vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import type { AttackCase } from './attack-case.ts';
import { describeAttacks } from './attack-table.ts';
import { zygoteMachine } from './zygote-machine.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

describeAttacks({
  host: '',
  how: { title: 'by zygote', has: isForZygotes },
  tier: 'A',
  isContainer: false,
  isForked: true,
  isMissing: CANNOT_SANDBOX,
  machine: async () => {
    await pythonImage();
    await nodeImage();
    return zygoteMachine(sharedHome(), 1_820_000_000);
  },
});

/** A program of Python in a file, which leaves no files, and has no network and no /proc. */
function isForZygotes({ lang, network, outputs, proc }: AttackCase): boolean {
  return lang === 'python' && network === 'none' && outputs.length === 0 && !proc;
}
