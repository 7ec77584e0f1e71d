import { dirname, join } from 'node:path';
import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { digestFileBelow } from './bounded-file.ts';
import type { DigestResult } from './bounded-file.ts';
import { quotedWord } from './quoted-value.ts';
import type { PythonDocument } from './python-schema.ts';
import type { PythonRequirements } from './recipe.ts';
import { readRequirementFiles } from './requirement-files.ts';
import type { ReadText } from './requirement-files.ts';
import { mergeRequirements } from './requirement-set.ts';
import type { PlacedDirect } from './requirement-set.ts';
import type { DirectRequirement, PathRequirement } from './requirement.ts';
import { brokenTextPlace, decodeText } from './utf8-text.ts';

export interface RequirementsReading {
  readonly document: PythonDocument;
  /** The recipe's folder, a real path. */
  readonly folder: string;
  /** The recipe as error texts are to name it. */
  readonly shown: string;
  /** Where the recipe's value at a path stands. */
  readonly valuePlace: (path: readonly PropertyKey[]) => SourcePlace;
  /** Content of a file below the folder; undefined after noting a problem. */
  readonly readNamed: (name: string, place: SourcePlace) => Promise<Uint8Array | undefined>;
}

/** The requirements of a recipe, from all files that they are in. Undefined after noting problems. */
export async function readPythonRequirements(
  reading: RequirementsReading,
  problems: Problem[],
): Promise<PythonRequirements | undefined> {
  const { document } = reading;
  const roots = [
    { path: document.requirements, isConstraint: false, place: reading.valuePlace(['python', 'requirements']) },
    ...document.constraints.map((path, index) => {
      const place = reading.valuePlace(
        document.constraints.length === 1 ? ['python', 'constraints'] : ['python', 'constraints', index],
      );
      return { path, isConstraint: true, place };
    }),
  ];
  const noted: Problem[] = [];
  const tree = await readRequirementFiles(roots, textReader(reading));
  const { python, direct, problems: own } = mergeRequirements(tree, document);
  noted.push(...tree.problems.filter((one) => one !== ALREADY_NOTED), ...own);
  const checked = await checkPaths(direct, reading, noted);
  problems.push(...noted.slice(0, MOST_PROBLEMS));
  if (noted.length > 0 || tree.problems.length > 0) return undefined;
  const { buildFromSource, buildPackages } = document;
  return {
    file: document.requirements,
    ...python,
    ...(checked.length === 0 ? {} : { direct: checked }),
    ...(buildFromSource.length === 0 ? {} : { buildFromSource }),
    ...(buildPackages.length === 0 ? {} : { buildPackages }),
  };
}

const MOST_PROBLEMS = 100;
/** Stands for a problem that `readNamed` has noted itself. */
const ALREADY_NOTED: Problem = { code: 'E_RECIPE_NOT_FOUND', message: 'noted' };

function textReader({ shown, readNamed }: RequirementsReading): ReadText {
  return async (path, place) => {
    const content = await readNamed(path, place);
    if (content === undefined) return { problem: ALREADY_NOTED };
    const file = join(dirname(shown), path);
    const text = decodeText(content);
    if (text !== undefined) return { text, shown: file };
    const broken = { file, ...brokenTextPlace(content) };
    const message = 'the requirements are not UTF-8';
    return { problem: { code: 'E_REQUIREMENT_SYNTAX', message, hint: 'save the file as UTF-8', place: broken } };
  };
}

async function checkPaths(
  direct: readonly PlacedDirect[],
  reading: RequirementsReading,
  problems: Problem[],
): Promise<readonly DirectRequirement[]> {
  const checked: DirectRequirement[] = [];
  for (const { requirement, place } of direct) {
    if (requirement.kind !== 'path' || requirement.form === 'folder') checked.push(requirement);
    else {
      const result = await checkPath(requirement, reading.folder);
      if ('message' in result) problems.push({ ...result, place });
      else checked.push(result);
    }
  }
  return checked;
}

/** The requirement with the digest that its file has now: a changed file is a changed recipe. */
async function checkPath(requirement: PathRequirement, folder: string): Promise<PathRequirement | Problem> {
  const named = requirement.path.startsWith(`${folder}/`)
    ? requirement.path.slice(folder.length + 1)
    : requirement.path;
  const path = named
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');
  const isOutside = named.startsWith('/') || path.split('/').includes('..');
  const found: DigestResult = isOutside ? { kind: 'outside' } : await digestFileBelow(folder, path);
  const shown = quotedWord(requirement.path);
  if (found.kind === 'outside') {
    const hint = 'copy the file beside the recipe and write for example `./wheels/name-1.0-py3-none-any.whl`';
    return { code: 'E_RECIPE_PATH', message: `${shown} leaves the folder of the recipe`, hint };
  }
  if (found.kind === 'missing') {
    return {
      code: 'E_RECIPE_NOT_FOUND',
      message: `${shown} does not exist`,
      hint: `create ${quotedWord(join(folder, path))}`,
    };
  }
  if (found.kind === 'refused') {
    return { code: 'E_RECIPE_VALUE', message: `${shown} ${found.fault}`, hint: 'name another file' };
  }
  if (requirement.digest !== undefined && requirement.digest !== found.digest) {
    const hint = 'check where the file comes from, then correct the digest';
    return { code: 'E_DIGEST_MISMATCH', message: `${shown} is not the file that its sha256 promises`, hint };
  }
  return { ...requirement, path, digest: found.digest };
}
