import { lookupIn } from './assemble/tree-lookup.ts';
import type { Entry } from './assemble/tree.ts';
import { closestWord } from './base/closest-word.ts';
import { linkTarget, nameOf, parentOf, parseImagePath } from './base/image-path.ts';
import { formatSize } from './base/units.ts';
import type { ExplainContext, Story } from './explain-thing.ts';

const MOST_LINKS = 40;

/** What lies at a path, over which links, and what brought it. */
export function explainFile({ tree }: ExplainContext, thing: string): readonly Story[] {
  const path = parseImagePath(thing);
  if (path === undefined || path === '') return [];
  const chain = chainFrom({ tree }, path);
  const last = chain.at(-1);
  if (last === undefined) {
    const near = closestWord(nameOf(path), lookupIn(tree).names(parentOf(path)));
    const hint = near === undefined ? [] : [`  did you mean \`/${parentOf(path)}/${near}\`?`];
    const lines = [`/${path}: not in the image`, ...hint];
    return [{ kind: 'file', lines, facts: { path: `/${path}`, missing: true, near } }];
  }
  const lines = chain.map((entry) => `/${entry.path}: ${entryText(entry)}`);
  const facts = { path: `/${path}`, missing: false, entries: chain.map(entryFacts) };
  return [{ kind: 'file', lines, facts }];
}

function chainFrom({ tree }: Pick<ExplainContext, 'tree'>, path: string): readonly Entry[] {
  const chain: Entry[] = [];
  const lookup = lookupIn(tree);
  for (let at = path; chain.length < MOST_LINKS;) {
    const folder = lookup.find(parentOf(at))?.path;
    const entry = tree.get(folder === undefined || folder === '' ? nameOf(at) : `${folder}/${nameOf(at)}`);
    if (entry === undefined) return chain;
    chain.push(entry);
    if (entry.kind !== 'symlink' && entry.kind !== 'hardlink') return chain;
    at = entry.kind === 'symlink' ? linkTarget(entry.path, entry.target) : entry.target;
  }
  return chain;
}

function entryText(entry: Entry): string {
  const from = `brought by ${entry.origin}`;
  if (entry.kind === 'symlink') return `a link to ${entry.target}, ${from}`;
  if (entry.kind === 'hardlink') return `one file with /${entry.target}, ${from}`;
  const mode = entry.mode.toString(8).padStart(4, '0');
  if (entry.kind === 'directory') return `a folder, mode ${mode}, ${from}`;
  return `a file of ${formatSize(entry.size)}, mode ${mode}, ${from}${entry.elf === undefined ? '' : ', a program or library'}`;
}

function entryFacts(entry: Entry): Readonly<Record<string, string | number | undefined>> {
  const common = { path: `/${entry.path}`, kind: entry.kind, mode: entry.mode, origin: entry.origin };
  if (entry.kind === 'file') return { ...common, size: entry.size, digest: entry.digest };
  return entry.kind === 'directory' ? common : { ...common, target: entry.target };
}
