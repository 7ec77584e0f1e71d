import type { LaunchRequest } from '../../src/run/launch-cell.ts';
import type { LaunchPlan } from '../../src/run/launch-plan.ts';

/** What the tests change about a launch; the product has no such choice. */
export type Variation = (request: LaunchRequest) => LaunchRequest;

export interface Identities {
  readonly firstUid: number;
  readonly count: number;
}

/** Everything that was launched, and how launches are changed. Shared with the mock of launch-cell.ts. */
const state: { identities: LaunchPlan['identities'] | undefined; vary: Variation; launched: LaunchPlan[] } = {
  identities: undefined,
  vary: (request) => request,
  launched: [],
};

/** In the place of every launch: our own user ids, so that a sweep can tell our processes from others'. */
export function varied(request: LaunchRequest): LaunchRequest {
  const { identities } = state;
  const plan = identities === undefined ? request.plan : { ...request.plan, identities };
  const changed = state.vary({ ...request, plan });
  state.launched.push(changed.plan);
  return changed;
}

export function launchedPlans(): readonly LaunchPlan[] {
  return state.launched;
}

export function setVariation(vary: Variation | undefined): void {
  state.vary = vary ?? ((request) => request);
}

export function setIdentities(identities: LaunchPlan['identities']): void {
  state.identities = identities;
}
