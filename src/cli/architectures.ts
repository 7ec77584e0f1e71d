import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';

/** What `--arch` names, each once and in the recipe's order; without it, all of the recipe. Throws E_USAGE. */
export function wantedArchitectures(
  { architectures }: Pick<Recipe, 'architectures'>,
  names: readonly string[] | undefined,
): readonly Architecture[] {
  if (names === undefined) return architectures;
  const wanted = new Set(
    names.map((name) => {
      const architecture = parseArchitecture(name);
      if (architecture !== undefined && architectures.includes(architecture)) return architecture;
      const add = architecture === undefined ? '' : `, or add ${architecture} to \`architectures\` in recipe.yaml`;
      throw new RootcellarError('E_USAGE', `--arch: the recipe is not for \`${name}\``, {
        hint: `use ${architectures.join(' or ')}${add}`,
      });
    }),
  );
  return architectures.filter((architecture) => wanted.has(architecture));
}
