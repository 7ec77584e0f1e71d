import type { Tier } from '../../src/recipe/recipe.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { hostFault, isContainer, type HostKind } from '../support/restricted-host.ts';
import { describeAttacks } from './attack-table.ts';
import { tierHost } from './tier-host.ts';

interface TierHost {
  readonly tier: Tier;
  readonly kind: HostKind;
  /** The core of the table alone: its cells are made as in another of these hosts. */
  readonly isCore?: true;
  /** It has no control groups to write to. */
  readonly isUncounted?: true;
}

/** Hosts in which the table is run, by an agent in there. */
const HOSTS: readonly TierHost[] = [
  { tier: 'A', kind: 'docker-lifted' },
  { tier: 'A', kind: 'docker-sysadmin', isCore: true, isUncounted: true },
  { tier: 'A', kind: 'pod-lifted', isCore: true, isUncounted: true },
  { tier: 'B', kind: 'rootless' },
  { tier: 'B', kind: 'rootless-subuids', isCore: true },
  { tier: 'C', kind: 'docker' },
  { tier: 'D', kind: 'kubernetes' },
  { tier: 'D', kind: 'crio', isCore: true },
];

for (const { tier, kind, isCore, isUncounted } of HOSTS) {
  describeAttacks({
    host: kind,
    tier,
    isCore,
    isUncounted,
    isContainer: isContainer(kind),
    isMissing: hostFault(kind) !== undefined,
    machine: async () => {
      await pythonImage();
      await nodeImage();
      return tierHost(kind, sharedHome());
    },
  });
}
