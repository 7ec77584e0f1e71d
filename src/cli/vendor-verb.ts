import { resolve } from 'node:path';
import { formatSize } from '../base/units.ts';
import { checkDrift } from '../lock/drift.ts';
import type { VendorResult } from '../vendor-artifacts.ts';
import { defaultVendor } from './artifact-supply.ts';
import { wantedArchitectures } from './architectures.ts';
import type { CommandContext } from './command-context.ts';
import type { VendorFlags } from './command-line.ts';
import { requiredLockfile } from './lock-verb.ts';
import { openRecipe, withImages } from './pipeline.ts';
import { checkTargetFolder } from './target-folder.ts';

/** `rootcellar vendor`. Throws E_LOCK_MISSING and E_LOCK_DRIFT, and what downloads throw. */
export async function vendorVerb(context: CommandContext, path: string, flags: VendorFlags): Promise<number> {
  const recipe = await openRecipe(path);
  const lock = await requiredLockfile(recipe);
  checkDrift(lock.recipe, recipe);
  const architectures = wantedArchitectures(recipe, flags.arch);
  const { output, prune = false } = flags;
  const folder = output === undefined ? defaultVendor(recipe) : resolve(output);
  await checkTargetFolder(folder, '-o');
  const { vendorArtifacts } = await import('../vendor-artifacts.ts');
  const result = await withImages(context, (pipeline) =>
    vendorArtifacts({ recipe, lock, architectures, folder, prune }, pipeline),
  );
  context.reporter.result(summaryText(folder, result, prune), {
    folder,
    files: result.files.map(({ path: file, isKept, artifact: { kind, name, version, size, digest } }) => {
      return { path: file, kind, name, version, size, digest, kept: isKept };
    }),
    [prune ? 'removed' : 'others']: result.others,
  });
  return 0;
}

/**
 * Each file with its size, those of a host in one line; then the sum. What was there already is not told apart but in the
 * sum.
 */
function summaryText(folder: string, { files, others }: VendorResult, prune: boolean): string {
  const host = files.filter(({ artifact }) => artifact.kind === 'host');
  const lines = files
    .filter(({ artifact }) => artifact.kind !== 'host')
    .map(({ path, artifact }) => lineText(artifact.size, path));
  if (host.length > 0) lines.push(lineText(sizeOf(host), `host/ (${host.length} files of the host)`));
  const kept = files.filter(({ isKept }) => isKept).length;
  const sum = `${folder}: ${files.length} artifacts, ${formatSize(sizeOf(files))}; ${kept} were there already\n`;
  return `${lines.join('')}${sum}${othersText(others, prune)}`;
}

function lineText(size: number, text: string): string {
  return `${formatSize(size).padStart(9)}  ${text}\n`;
}

function sizeOf(files: VendorResult['files']): number {
  return files.reduce((sum, { artifact }) => sum + artifact.size, 0);
}

function othersText(others: readonly string[], prune: boolean): string {
  if (others.length === 0) return '';
  if (prune) return `removed ${others.length} that the lockfile does not name\n`;
  return `${others.length} more are there that the lockfile does not name; --prune removes them\n`;
}
