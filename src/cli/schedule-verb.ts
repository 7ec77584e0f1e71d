import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { recipeWord, type Recipe, type RefreshSchedule } from '../recipe/recipe.ts';
import { kubernetesObjects, OBJECTS_MARK } from '../refresh/cron-job.ts';
import { systemdUnits, type Unit } from '../refresh/systemd-units.ts';
import { IMAGE_NAME } from '../store/images.ts';
import { checkReplaceable, replaceFile } from '../store/replace-file.ts';
import { storeHome } from '../store/store-home.ts';
import type { CommandContext } from './command-context.ts';
import { ownFile } from './own-file.ts';
import { openRecipe } from './pipeline.ts';
import type { ScheduleVerbFlags } from './schedule-command.ts';
import { installUnits, removeUnits, unitPlace } from './unit-files.ts';

export interface ScheduleRequest {
  readonly action: 'install' | 'remove' | 'show';
  readonly recipes: readonly string[];
  readonly flags: ScheduleVerbFlags;
}

/** `rootcellar schedule install|remove|show`: others keep the schedule of recipes. */
export async function scheduleVerb(context: CommandContext, request: ScheduleRequest): Promise<number> {
  const { action, recipes: paths, flags } = request;
  checkFlags(request);
  if (action === 'remove') return remove(context, request);
  const recipes = await Promise.all(paths.map((path) => openRecipe(path)));
  const names = recipes.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new RootcellarError('E_USAGE', `\`${twice}\`: two recipes have this name`, { hint: 'rename one of them' });
  }
  if (flags.kubernetes === true) return showObjects(context, recipes, flags);
  const place = unitPlace(flags, context);
  const units = recipes.flatMap((recipe) => unitsOf(recipe, place.manager, context));
  if (action === 'install') {
    const installed = await installUnits(units, place, context.signal);
    context.reporter.result(linesOf(installed), { schedule: { installed } });
    return 0;
  }
  const text = units.map((unit) => `# ${place.folder}/${unit.file}\n${unit.text}`).join('\n');
  context.reporter.result(text, { schedule: { units: units.map(({ file, text: own }) => ({ file, text: own })) } });
  return 0;
}

async function remove(context: CommandContext, { recipes, flags }: ScheduleRequest): Promise<number> {
  const names = await Promise.all(recipes.map(nameOf));
  const removed = await removeUnits([...new Set(names)], unitPlace(flags, context), context.signal);
  context.reporter.result(removed.length === 0 ? 'nothing to remove\n' : linesOf(removed), { schedule: { removed } });
  return 0;
}

/** A recipe that is gone is named by its image. */
async function nameOf(word: string): Promise<string> {
  try {
    return (await openRecipe(word)).name;
  } catch (error) {
    const isGone = error instanceof RootcellarError && error.code === 'E_RECIPE_NOT_FOUND';
    if (isGone && IMAGE_NAME.test(word)) return word;
    throw error;
  }
}

function checkFlags({ action, flags }: ScheduleRequest): void {
  if (flags.kubernetes === true) {
    if (flags.systemd === true) refuse('--systemd and --kubernetes: cannot be had together', 'keep one of the two');
    if (flags.user === true || flags.outputDir !== undefined) {
      refuse('--user and --output-dir: are for systemd', 'with --kubernetes give -o FILE');
    }
    if (action === 'install' && flags.output === undefined) {
      refuse(
        'schedule install: this program does not speak to a cluster',
        'give -o FILE, or: rootcellar schedule show --kubernetes RECIPE | kubectl apply -f -',
      );
    }
    return;
  }
  const needless = [flags.output, flags.image, flags.recipePath].some((flag) => flag !== undefined);
  if (needless) refuse('--output, --image and --recipe-path: are for --kubernetes', 'add --kubernetes');
}

function refuse(message: string, hint: string): never {
  throw new RootcellarError('E_USAGE', message, { hint });
}

function linesOf(files: readonly string[]): string {
  return files.map((file) => `${file}\n`).join('');
}

function scheduleOf({ name, refresh }: Recipe): RefreshSchedule {
  if (refresh?.schedule !== undefined) return refresh.schedule;
  throw new RootcellarError('E_USAGE', `\`${name}\`: its recipe has no schedule`, {
    hint: 'write `refresh: { every: 12h }` into it',
  });
}

function unitsOf(recipe: Recipe, manager: 'system' | 'user', context: CommandContext): readonly Unit[] {
  const command = resolve(import.meta.dirname, 'main.js');
  const word = recipeWord(recipe);
  return systemdUnits({
    name: recipe.name,
    command: [process.execPath, command, 'refresh', '--once', word],
    recipeFolder: resolve(recipe.file, '..'),
    storeHome: storeHome(context),
    installation: [process.execPath, command],
    schedule: scheduleOf(recipe),
    manager,
  });
}

async function showObjects(
  context: CommandContext,
  recipes: readonly Recipe[],
  flags: ScheduleVerbFlags,
): Promise<number> {
  if (flags.recipePath !== undefined && recipes.length > 1) {
    throw new RootcellarError('E_USAGE', '--recipe-path: is one path, for one recipe', { hint: 'name one recipe' });
  }
  const objects = recipes.flatMap((recipe) =>
    kubernetesObjects({
      name: recipe.name,
      schedule: scheduleOf(recipe),
      image: flags.image ?? 'rootcellar',
      recipePath: flags.recipePath ?? `/recipes/${recipe.name}`,
    }),
  );
  // All recipes have one claim.
  const unique = [...new Map(objects.map((object) => [JSON.stringify(object), object])).values()];
  const documents = unique.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  const text = `${OBJECTS_MARK}\n${documents.join('---\n')}`;
  if (flags.output === undefined) {
    context.reporter.result(text, { schedule: { objects: JSON.parse(JSON.stringify(unique)) } });
    return 0;
  }
  const output = resolve(flags.output);
  await checkReplaceable(output);
  await ownFile(output, OBJECTS_MARK);
  await replaceFile(output, (temporary) => writeFile(temporary, text));
  context.reporter.result(linesOf([output]), { schedule: { installed: [output] } });
  return 0;
}
