import { checkDrift } from '../lock/drift.ts';
import { lockfilePath, readLockfile } from '../lock/lockfile-files.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { lockedTarget } from '../built-image.ts';
import { wantedArchitectures } from './architectures.ts';
import type { CommandContext } from './command-context.ts';
import type { LockFlags } from './command-line.ts';
import { openRecipe, withPipeline } from './pipeline.ts';
import { warnOfRecipe } from './policy-warnings.ts';

/** `rootcellar lock`. Throws E_LOCK_MISSING and E_LOCK_DRIFT with `--check`. */
export async function lockVerb(context: CommandContext, path: string, flags: LockFlags): Promise<number> {
  refuseContradiction(flags);
  const recipe = await openRecipe(path);
  const lockfile = lockfilePath(recipe);
  const architectures = wantedArchitectures(recipe, flags.arch);
  if (flags.check === true) {
    const present = await requiredLockfile(recipe);
    checkDrift(present.recipe, recipe);
    for (const architecture of architectures) lockedTarget(present, architecture);
    context.reporter.result(`${lockfile}: matches its recipe\n`, { lockfile, matches: true });
    return 0;
  }
  await warnOfRecipe(recipe, context.reporter.progress);
  const { lockRecipe } = await import('../lock-recipe.ts');
  const upgrade = flags.upgrade === true ? 'all' : (flags.upgradePackage ?? 'none');
  const { lock, isChanged } = await withPipeline(context, (pipeline) =>
    lockRecipe({ recipe, architectures, upgrade }, pipeline),
  );
  const summary = isChanged ? `written, ${contentText(lock)}` : `unchanged, ${contentText(lock)}`;
  context.reporter.result(`${lockfile}: ${summary}\n`, { lockfile, changed: isChanged });
  return 0;
}

function refuseContradiction({ check, upgrade, upgradePackage }: LockFlags): void {
  const other = upgrade === true ? '--upgrade' : upgradePackage === undefined ? undefined : '--upgrade-package';
  if (check !== true || other === undefined) return;
  throw new RootcellarError(
    'E_USAGE',
    `--check and ${other}: cannot be had together, because --check changes nothing`,
    {
      hint: 'leave one of the two out; rootcellar refresh --check RECIPE tells what is new',
    },
  );
}

/** Throws E_LOCK_MISSING. */
export async function requiredLockfile(recipe: Recipe): Promise<Lockfile> {
  return (await readLockfile(lockfilePath(recipe))) ?? missingLockfile(recipe);
}

/** Throws E_LOCK_MISSING. */
export function missingLockfile(recipe: Recipe): never {
  const message = `\`${lockfilePath(recipe)}\`: there is no lockfile`;
  throw new RootcellarError('E_LOCK_MISSING', message, { hint: 'rootcellar lock RECIPE' });
}

function contentText({ targets }: Lockfile): string {
  return [...targets]
    .map(([architecture, { debs, wheels, host }]) => {
      const base = host === undefined ? `${debs.length} Debian packages` : `${host.files.length} files of this machine`;
      return `${architecture}: ${base}, ${wheels.length} wheels`;
    })
    .join('; ');
}
