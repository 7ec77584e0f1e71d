import { libraryNeeds, type Need } from './assemble/library-needs.ts';
import { shellWord } from './base/shell-word.ts';
import { absentLibraries } from './assemble/elf-closure.ts';
import type { SearchWay } from './assemble/library-search.ts';
import type { FileEntry } from './assemble/tree.ts';
import { byteOrder } from './base/byte-order.ts';
import { closestWord } from './base/closest-word.ts';
import { nameOf, parentOf } from './base/image-path.ts';
import type { ExplainContext, Story } from './explain-thing.ts';

const MOST_NAMED = 10;

const WAYS: Readonly<Record<SearchWay, string>> = {
  path: 'named by its path',
  rpath: 'found by DT_RPATH',
  runpath: 'found by DT_RUNPATH',
  cache: 'found by ld.so.cache',
  default: 'found in a default folder',
};

/** A library that is there, by soname or file name, with who needs it; or one that is missing, with who would have it. */
export async function explainLibrary(context: ExplainContext, thing: string): Promise<readonly Story[]> {
  const name = nameOf(thing);
  if (!/\.so(?:\.|$)/.test(name)) return [];
  const files = filesOf(context, name);
  const needs = needsOf(context, name, new Set(files.map(({ path }) => path)));
  if (files.length === 0) return [await missingStory(context, name, needs)];
  const absent = absentLibraries(context.tree, context, [name]).length > 0;
  const lines = [
    ...files.map((file) => `${name}: at \`/${file.path}\`, brought by ${file.origin}${linksText(context, name, file)}`),
    ...(absent ? ['  no loader finds it by itself: only files with a search path to it do'] : []),
    ...needLines(needs),
  ];
  const facts = {
    name,
    missing: false,
    files: files.map(({ path, origin, size, elf }) => ({ path: `/${path}`, origin, size, soname: elf?.soname })),
    needed_by: needs.map(needFacts),
  };
  return [{ kind: 'library', lines, facts }];
}

function packageText(packages: readonly string[]): string {
  return packages.length === 0 ? 'this machine' : `Debian package ${packages.join(' or ')}`;
}

async function missingStory(context: ExplainContext, name: string, needs: readonly Need[]): Promise<Story> {
  const known = (await context.packagesOf([name])).get(name);
  const packages = known ?? [];
  const which = known === undefined ? 'no Debian package is known to have it' : `${packageText(known)} has it`;
  const todo =
    known === undefined
      ? `apt-file search ${shellWord(`/${name}`)}`
      : `add ${name} to \`shared_objects\` of the recipe, or build it with --add-missing`;
  const near = needs.length === 0 && known === undefined ? nearestLibrary(context, name) : undefined;
  const folders = [...new Set(needs.flatMap(({ search }) => search?.searched ?? []))];
  const lines = [
    `${name}: not in the image; ${which}`,
    ...(needs.length === 0 ? ['  nothing needs it'] : needLines(needs)),
    ...(folders.length === 0 ? [] : [`  looked for in ld.so.cache, ${folders.join(', ')}`]),
    `  hint: ${near === undefined ? todo : `did you mean \`${near}\`?`}`,
  ];
  const facts = { name, missing: true, packages, searched: folders, needed_by: needs.map(needFacts) };
  return { kind: 'library', lines, facts };
}

function nearestLibrary({ tree }: ExplainContext, name: string): string | undefined {
  const names = [...tree.keys()].map(nameOf).filter((one) => /\.so(?:\.|$)/.test(one));
  return closestWord(name, [...new Set(names)].toSorted(byteOrder));
}

function filesOf({ tree }: ExplainContext, name: string): readonly FileEntry[] {
  const found = new Map<string, FileEntry>();
  for (const entry of tree.values()) {
    if (entry.kind === 'file' && (nameOf(entry.path) === name || entry.elf?.soname === name))
      found.set(entry.path, entry);
    if (entry.kind === 'hardlink' && nameOf(entry.path) === name) {
      const target = tree.get(entry.target);
      if (target?.kind === 'file') found.set(target.path, target);
    }
  }
  return [...found.values()].toSorted((a, b) => byteOrder(a.path, b.path));
}

function linksText({ tree }: ExplainContext, name: string, file: FileEntry): string {
  const links = [...tree.values()].flatMap((entry) => {
    if (entry.kind !== 'symlink' || nameOf(entry.path) !== name || parentOf(entry.path) !== parentOf(file.path))
      return [];
    return [`\`/${entry.path}\` → ${entry.target}`];
  });
  return links.length === 0 ? '' : `; ${links.join(', ')}`;
}

/** Once for each file, however many programs lead to it. */
function needsOf(context: ExplainContext, name: string, paths: ReadonlySet<string>): readonly Need[] {
  const needs = new Map<string, Need>();
  for (const need of libraryNeeds(context.tree, context)) {
    const isMeant = need.library === name || (need.found !== undefined && paths.has(need.found.path));
    const known = needs.get(need.file.path);
    if (isMeant && (known === undefined || (known.search === undefined && need.search !== undefined))) {
      needs.set(need.file.path, need);
    }
  }
  return [...needs.values()].toSorted((a, b) => byteOrder(a.file.path, b.file.path));
}

function needLines(needs: readonly Need[]): readonly string[] {
  if (needs.length === 0) return ['  nothing in the image is linked against it'];
  const more = needs.length > MOST_NAMED ? [`    and ${needs.length - MOST_NAMED} more`] : [];
  const named = needs.slice(0, MOST_NAMED).map((need) => `    \`/${need.file.path}\`: ${wayText(need)}`);
  return [`  needed by ${needs.length} ${needs.length === 1 ? 'file' : 'files'}:`, ...named, ...more];
}

function wayText({ found, search }: Need): string {
  if (found === undefined) return 'not found';
  const at = search?.foundAt === undefined ? '' : `, at \`${search.foundAt}\``;
  return `${search?.way === undefined ? 'loaded before by what leads to it' : WAYS[search.way]}${at}`;
}

function needFacts({ file, found, search }: Need): Readonly<Record<string, string | undefined>> {
  return { path: `/${file.path}`, found: found && `/${found.path}`, way: search?.way, at: search?.foundAt };
}
