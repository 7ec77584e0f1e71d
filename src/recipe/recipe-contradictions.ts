import { ARCHITECTURES } from '../base/architecture.ts';
import { parentOf, parseImagePath } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import { quotedWord } from './quoted-value.ts';
import { pathText } from './recipe-path-text.ts';
import type { YamlText } from './yaml-text.ts';

type Path = readonly PropertyKey[];

const LISTS: readonly Path[] = [
  ['architectures'],
  ['shared_objects'],
  ['allow_missing'],
  ['base', 'debian', 'packages'],
  ['base', 'debian', 'components'],
  ['base', 'host', 'python_lib_path'],
  ['python', 'build_from_source'],
  ['python', 'build_packages'],
  ['python', 'extra_index_urls'],
  ['python', 'find_links'],
  ['python', 'trusted_hosts'],
  ['python', 'constraints'],
  ['python', 'cooldown', 'except'],
  ['trim'],
  ['sandbox', 'network', 'proxy', 'allow'],
  ['sandbox', 'network', 'host', 'no_proxy'],
  ['sandbox', 'syscalls', 'allow'],
  ['sandbox', 'syscalls', 'deny'],
];

/** Values that are right each by itself, but not together. Looks at the raw data, so that it adds to what else is wrong. */
export function findContradictions(yaml: YamlText): readonly Problem[] {
  return [
    ...LISTS.flatMap((path) => repeatedElements(path, yaml)),
    ...architecturesWithoutPython(yaml),
    ...allowedAndDenied(yaml),
    ...clashingFiles(yaml),
  ];
}

function repeatedElements(path: Path, yaml: YamlText): readonly Problem[] {
  const seen = new Set<string>();
  return stringsAt(path, yaml).flatMap(({ text, index }): Problem[] => {
    if (!seen.has(text)) {
      seen.add(text);
      return [];
    }
    return [problem(`${pathText(path)} has ${quotedWord(text)} twice`, [...path, index], yaml)];
  });
}

/** A map of interpreters must have one for each architecture; libraries may be for one only. */
function architecturesWithoutPython(yaml: YamlText): readonly Problem[] {
  const path = ['base', 'host', 'python_path'];
  const paths = Object.keys(mapAt(path, yaml));
  if (paths.length === 0) return [];
  const listed = stringsAt(['architectures'], yaml).map(({ text }) => text);
  return (listed.length === 0 ? ['amd64'] : listed)
    .filter((name) => ARCHITECTURES.some((one) => one === name) && !paths.includes(name))
    .map((name): Problem => ({
      code: 'E_RECIPE_VALUE',
      message: `${pathText(path)} has no path for ${name}`,
      hint: `add \`${name}: /usr/bin/python3\`, or remove ${name} from \`architectures\``,
      place: yaml.valuePlace(path),
    }));
}

function allowedAndDenied(yaml: YamlText): readonly Problem[] {
  const section = ['sandbox', 'syscalls'];
  const allowed = new Set(stringsAt([...section, 'allow'], yaml).map(({ text }) => text));
  return stringsAt([...section, 'deny'], yaml)
    .filter(({ text }) => allowed.has(text))
    .map(({ text, index }) =>
      problem(`${quotedWord(text)} is both allowed and denied`, [...section, 'deny', index], yaml),
    );
}

function clashingFiles(yaml: YamlText): readonly Problem[] {
  const keys = Object.keys(mapAt(['files'], yaml));
  const owners = new Map(keys.map((key) => [parseImagePath(key) ?? '', key]));
  const problems: Problem[] = [];
  for (const key of keys) {
    const folder = foldersOf(parseImagePath(key) ?? '').find((one) => owners.has(one));
    if (folder === undefined) continue;
    problems.push(
      fileProblem(`${quotedWord(key)} lies below ${quotedWord(owners.get(folder) ?? '')}, which is a file`, key, yaml),
    );
  }
  return problems;
}

function foldersOf(path: ImagePath): readonly ImagePath[] {
  const folders: ImagePath[] = [];
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) folders.push(folder);
  return folders;
}

function problem(message: string, path: Path, yaml: YamlText): Problem {
  return { code: 'E_RECIPE_VALUE', message, hint: 'remove one of the two', place: yaml.valuePlace(path) };
}

function fileProblem(message: string, key: string, yaml: YamlText): Problem {
  return { code: 'E_RECIPE_VALUE', message, hint: 'remove one of the two', place: yaml.keyPlace(['files', key]) };
}

function stringsAt(path: Path, yaml: YamlText): readonly { readonly text: string; readonly index: number }[] {
  const list = valueAt(path, yaml);
  if (!Array.isArray(list)) return [];
  return list.flatMap((text: unknown, index) => (typeof text === 'string' ? [{ text, index }] : []));
}

function mapAt(path: Path, yaml: YamlText): object {
  const value = valueAt(path, yaml);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function valueAt(path: Path, yaml: YamlText): unknown {
  return path.reduce<unknown>((value, name) => {
    return typeof value === 'object' && value !== null
      ? Object.getOwnPropertyDescriptor(value, name)?.value
      : undefined;
  }, yaml.value);
}
