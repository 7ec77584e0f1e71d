import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Json } from '../base/canonical-json.ts';
import type { RefreshResult } from '../refresh/refresh-result.ts';
import { reportJson, reportMarkdown, type ChangeReport } from '../refresh/change-report.ts';
import { checkReplaceable, replaceFile } from '../store/replace-file.ts';
import type { CommandContext } from './command-context.ts';
import type { RefreshFlags } from './image-commands.ts';
import { knownRecipe, withPipeline } from './pipeline.ts';
import { warnOfRecipe } from './policy-warnings.ts';

/** Exit statuses of its own: updates are there, and what is new was not taken. */
const AVAILABLE = 10;
const KEPT = 11;
/** What people are told of; --json has all. */
const MOST_FAULTS = 20;

/** `rootcellar refresh RECIPE`: newer versions, built and tried out beside what serves, and taken when they are no worse. */
export async function refreshVerb(context: CommandContext, path: string, flags: RefreshFlags): Promise<number> {
  const recipe = await knownRecipe(path, context);
  await warnOfRecipe(recipe, context.reporter.progress);
  const { refreshImage } = await import('../refresh/refresh-image.ts');
  const upgrade = flags.upgradePackage ?? 'all';
  const isCheck = flags.check === true;
  if (flags.report !== undefined) await checkReplaceable(resolve(flags.report));
  const result = await withPipeline(context, (pipeline) => refreshImage({ recipe, upgrade, isCheck }, pipeline));
  context.reporter.result(textOf(recipe.name, result), {
    refresh: { name: recipe.name, ...resultJson(result) },
  });
  if (flags.report !== undefined) await writeReport(flags.report, result.report);
  if (result.kind === 'available') return AVAILABLE;
  return result.kind === 'kept' ? KEPT : 0;
}

/** The same for each refresh, asked for or by a schedule. */
export function resultJson(result: RefreshResult): Readonly<Record<string, Json>> {
  return {
    result: result.kind,
    changes: Object(reportJson(result.report)).architectures,
    generations:
      result.kind === 'switched'
        ? result.images.map(({ architecture, generation }) => ({ architecture, generation }))
        : [],
    ...(result.kind === 'kept' ? keptJson(result) : { faults: [], culprits: [] }),
  };
}

/** Markdown, or JSON where its name says so. */
async function writeReport(path: string, report: ChangeReport): Promise<void> {
  const text = path.endsWith('.json')
    ? `${JSON.stringify(reportJson(report), undefined, 2)}\n`
    : reportMarkdown(report);
  await replaceFile(resolve(path), (temporary) => writeFile(temporary, text));
}

type Kept = Extract<RefreshResult, { readonly kind: 'kept' }>;

function keptJson({ faults, culprits }: Kept): { readonly faults: Json; readonly culprits: Json } {
  const told = faults.map(({ architecture, package: name, message }) => ({
    architecture,
    package: name ?? null,
    message,
  }));
  return { faults: told, culprits };
}

function textOf(name: string, result: RefreshResult): string {
  if (result.kind === 'current') return `${name}: nothing new\n`;
  const changes = changesText(result.report);
  if (result.kind === 'available') return `${name}: there are updates\n${changes}`;
  if (result.kind === 'kept')
    return `${name}: stays as it is, since in the new image\n${keptText(result)}of these changes\n${changes}`;
  const generations = result.images.map(({ architecture, generation }) => `${architecture} generation ${generation}`);
  return `${name}: ${generations.join(', ')} is current\n${changes}`;
}

function keptText({ faults, culprits }: Kept): string {
  const lines = faults.slice(0, MOST_FAULTS).map(({ architecture, message }) => `  ${architecture}: ${message}\n`);
  const more = faults.length > MOST_FAULTS ? `  and ${faults.length - MOST_FAULTS} more\n` : '';
  const packages = culprits.map((names) => names.join(' and ')).join('; ');
  return `${lines.join('')}${more}${packages === '' ? '' : `because of the update of ${packages}\n`}`;
}

function changesText({ architectures }: ChangeReport): string {
  return architectures
    .flatMap(({ architecture, changes }) =>
      changes.map(({ name, change, before, after, step }) => {
        const versions = before === undefined || after === undefined ? (after ?? before ?? '') : `${before} → ${after}`;
        return `  ${architecture} ${name} ${versions} (${step === undefined ? change : `${change}, ${step}`})\n`;
      }),
    )
    .join('');
}
