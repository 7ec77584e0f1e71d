import type { Problem } from '../base/rootcellar-error.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { visibleText } from './visible-text.ts';

/**
 * An error as people read it: each problem on its own line, its hint below it.
 *
 *     error[E_RECIPE_KEY] recipes/web/recipe.yaml:3:1: there is no key `pakages`
 *       hint: did you mean `packages`?
 */
export function errorText(error: RootcellarError): string {
  return error.problems.map(problemText).join('\n');
}

function problemText(problem: Problem): string {
  const { place } = problem;
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column}: `;
  const hint = problem.hint === undefined ? '' : `\n  hint: ${problem.hint.replaceAll('\n', '\n        ')}`;
  // No name in a message may begin a line that looks like one of ours.
  const message = problem.message.replaceAll(/\n(?! )/g, '\n  ');
  return visibleText(`error[${problem.code}] ${where}${message}${hint}`);
}

/** The exit status that an error ends the command with: 2 usage, 130 cancelled, 125 sandbox, 70 our bug, else 1. */
export function exitStatusOf(error: unknown): number {
  if (!(error instanceof RootcellarError)) return 70;
  if (error.code === 'E_USAGE') return 2;
  if (error.code === 'E_CANCELLED') return 130;
  return error.code === 'E_SANDBOX' || error.code === 'E_ROOTFS_UNSAFE' ? 125 : 1;
}
