import { vi } from 'vitest';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { localMachine } from './local-machine.ts';
import { describeAttacks } from './attack-table.ts';

vi.mock(import('../../src/run/launch-cell.ts'), async (original) => {
  const real = await original();
  const { varied } = await import('./variation.ts');
  return { ...real, launchCell: (request) => real.launchCell(varied(request)) };
});

describeAttacks({
  host: '',
  tier: 'A',
  isContainer: false,
  isMissing: CANNOT_SANDBOX,
  machine: async () => {
    await pythonImage();
    await nodeImage();
    return localMachine(sharedHome(), { firstUid: 1_800_000_000, count: 64 });
  },
});
