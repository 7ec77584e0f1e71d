import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { checkDrift } from '../lock/drift.ts';
import { rebuildImage, type Rebuild } from '../rebuild-image.ts';
import type { PathDifference } from '../store/first-difference.ts';
import { artifactSupply } from './artifact-supply.ts';
import type { CommandContext } from './command-context.ts';
import { requiredLockfile } from './lock-verb.ts';
import { openRecipe, withPipeline } from './pipeline.ts';

/** More differences than this are counted, not named. */
const MOST_NAMED = 50;

/** `rootcellar verify RECIPE --rebuild`. Throws E_VERIFY_FAILED with a problem for each path that differs. */
export async function rebuildVerb(context: CommandContext, word: string): Promise<number> {
  if (!existsSync(word)) {
    throw new RootcellarError('E_USAGE', `--rebuild: \`${word}\` is no recipe, and an image does not hold its own`, {
      hint: 'name the folder of the recipe, such as recipes/python',
    });
  }
  const recipe = await openRecipe(word);
  const lock = await requiredLockfile(recipe);
  checkDrift(lock.recipe, recipe);
  const command = fileURLToPath(new URL('main.js', import.meta.url));
  const preload = new URL('../rebuild-conditions.js', import.meta.url).href;
  const supply = await artifactSupply(recipe, {});
  for (const architecture of recipe.architectures) {
    const request = { recipe, lock, architecture, command, preload, uid: context.uid };
    const rebuild = await withPipeline(context, (pipeline) => rebuildImage(request, { ...pipeline, ...supply }));
    const problems = problemsOf(rebuild);
    if (problems.length > 0) throw RootcellarError.ofProblems(problems);
    const [diffId] = rebuild.diffIds;
    const promise = rebuild.promise === undefined ? 'the lockfile promises nothing yet' : 'as the lockfile promises';
    const text = `${recipe.name} ${architecture} ${diffId}: built twice from nothing, the same bytes, ${promise}\n`;
    const conditions = `different around the two: ${rebuild.conditions.join(', ')}\n`;
    context.reporter.result(text + conditions, {
      name: recipe.name,
      architecture,
      diff_id: diffId,
      promised: rebuild.promise,
      conditions: rebuild.conditions,
    });
  }
  return 0;
}

function problemsOf({ diffIds, promise, differences }: Rebuild): readonly Problem[] {
  const [first, second] = diffIds;
  if (first === second && (promise === undefined || promise === first)) return [];
  const message =
    first === second
      ? `two builds gave ${shortDigest(first)}, the lockfile promises ${shortDigest(promise ?? first)}`
      : `two builds gave ${shortDigest(first)} and ${shortDigest(second)}`;
  const named = differences.slice(0, MOST_NAMED).map(differenceText);
  const rest = differences.length - named.length;
  const more = rest === 0 ? [] : [`and ${rest} more paths`];
  return [message, ...named, ...more].map((text) => ({ code: 'E_VERIFY_FAILED' as const, message: text }));
}

function differenceText({ path, field, before, after, offset }: PathDifference): string {
  const place = offset === undefined ? '' : `, first at byte ${offset}`;
  return `\`/${path}\`: ${field} differs${place}: ${before} and ${after}`;
}
