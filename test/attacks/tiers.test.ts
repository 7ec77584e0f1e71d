import type { Tier } from '../../src/recipe/recipe.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { hostFault, isContainer, type HostKind } from '../support/restricted-host.ts';
import { describeAttacks } from './attack-table.ts';
import { tierHost } from './tier-host.ts';

/** Hosts in which the whole table is run, by an agent in there. */
const HOSTS: readonly (readonly [tier: Tier, kind: HostKind])[] = [
  ['A', 'docker-lifted'],
  ['A', 'docker-sysadmin'],
  ['A', 'pod-lifted'],
  ['B', 'rootless'],
  ['C', 'docker'],
  ['D', 'crio'],
  ['D', 'kubernetes'],
];

for (const [tier, kind] of HOSTS) {
  describeAttacks({
    host: kind,
    tier,
    isContainer: isContainer(kind),
    isMissing: hostFault(kind) !== undefined,
    machine: async () => {
      await pythonImage();
      await nodeImage();
      return tierHost(kind, sharedHome());
    },
  });
}
