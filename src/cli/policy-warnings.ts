import { networkMode } from '../recipe/network.ts';
import type { Progress } from '../base/progress.ts';
import type { SourcePlace } from '../base/rootcellar-error.ts';
import type { Recipe, SandboxSettings } from '../recipe/recipe.ts';
import type { PolicyFinding } from '../run/policy-lint.ts';

/** Warns of what a recipe allows and should not, each with its place in the file where it has one. */
export async function warnOfRecipe(
  { file, sandbox }: Pick<Recipe, 'file' | 'sandbox'>,
  progress: Progress,
): Promise<void> {
  for (const { message, hint, word } of await findings(sandbox)) {
    const place = word === undefined ? undefined : await placeOf(file, word);
    const where = place === undefined ? file : `${file}:${place.line}:${place.column}`;
    progress({ kind: 'warning', message: `${where}: ${message}`, hint });
  }
}

/** Few recipes need a place, and so the reader of YAML. */
async function placeOf(file: string, word: string): Promise<SourcePlace | undefined> {
  const { elementPlace } = await import('../recipe/element-place.ts');
  return elementPlace(file, ['sandbox', 'syscalls', 'allow'], word);
}

/** The same of an image whose recipe is not at hand. */
export async function warnOfImage(name: string, sandbox: SandboxSettings, progress: Progress): Promise<void> {
  for (const { message } of await findings(sandbox)) {
    const hint = 'change `sandbox` in its recipe and build it again, or run only programs that are trusted';
    progress({ kind: 'warning', message: `image \`${name}\`: ${message}`, hint });
  }
}

/** Most recipes add nothing to their profile, and need not wait for the rules to be loaded. */
async function findings(sandbox: SandboxSettings): Promise<readonly PolicyFinding[]> {
  if (sandbox.syscalls.allow.length === 0 && sandbox.network === 'none') return [];
  const { lintPolicy } = await import('../run/policy-lint.ts');
  return lintPolicy({ ...sandbox, network: networkMode(sandbox.network) });
}
