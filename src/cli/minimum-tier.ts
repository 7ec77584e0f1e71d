import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { TIERS, type Tier } from '../recipe/recipe.ts';

/** What `--minimum-tier` says; undefined without it. Throws E_USAGE. */
export function tierOf({ minimumTier }: { readonly minimumTier?: string }): Tier | undefined {
  const tier = TIERS.find((name) => name === minimumTier);
  if (tier !== undefined || minimumTier === undefined) return tier;
  throw new RootcellarError('E_USAGE', `--minimum-tier: there is no tier ${quotedWord(minimumTier)}`, {
    hint: 'use A, B, C or D',
  });
}
