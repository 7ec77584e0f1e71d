import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { findContradictions } from './recipe-contradictions.ts';
import { describeIssues } from './recipe-issues.ts';
import { recipeSchema } from './recipe-schema.ts';
import type { RecipeDocument } from './recipe-schema.ts';
import type { SyscallVocabulary } from './syscall-vocabulary.ts';
import { parseYaml } from './yaml-text.ts';

export interface RecipeReading {
  /** As error texts are to name it. */
  readonly file: string;
  readonly vocabulary: SyscallVocabulary;
}

export interface RecipeText {
  readonly document: RecipeDocument;
  /** Where the value at a path of the YAML file stands, such as `['python', 'requirements']`. */
  valuePlace(path: readonly PropertyKey[]): SourcePlace;
}

const MOST_PROBLEMS = 100;

/**
 * Reads the text of a `recipe.yaml`. Opens no file that it names.
 * Throws one error with all problems, in the order of the file: E_RECIPE_SYNTAX, E_RECIPE_KEY, E_RECIPE_VALUE, E_RECIPE_PATH.
 */
export function parseRecipe(text: string, reading: RecipeReading): RecipeText {
  const yaml = parseYaml(text, reading.file);
  const result = recipeSchema(reading.vocabulary).safeParse(yaml.value, { reportInput: true });
  const problems = [
    ...yaml.problems,
    ...(result.success ? [] : describeIssues(result.error.issues, yaml)),
    ...findContradictions(yaml),
  ];
  if (problems.length > 0) throw RootcellarError.ofProblems(inFileOrder(problems).slice(0, MOST_PROBLEMS));
  if (!result.success) throw new Error('unreachable: a recipe is refused without a problem');
  return { document: result.data, valuePlace: (path) => yaml.valuePlace(path) };
}

function inFileOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => {
    return (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0);
  });
}
