import type { InstalledPackage } from './assemble/installed-packages.ts';
import { formatSize } from './base/units.ts';
import type { ExplainContext, Story } from './explain-thing.ts';

/** A package, what it is for and what it takes: a Debian package and a wheel of one name are two stories. */
export function explainPackage(context: ExplainContext, thing: string): readonly Story[] {
  const name = thing.toLowerCase();
  const wheel = name.replaceAll(/[-_.]+/g, '-');
  const found = context.packages.filter((one) => one.name === (one.kind === 'deb' ? name : wheel));
  return found.map((one) => packageStory(context, one));
}

function packageStory({ tree, packages }: ExplainContext, one: InstalledPackage): Story {
  const origin = `${one.name} ${one.version}`;
  const files = [...tree.values()].filter((entry) => entry.origin === origin && entry.kind === 'file');
  const bytes = files.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0);
  const dependents = packages.filter(({ depends }) => depends.includes(one.name)).map(({ name }) => name);
  const chain = chainTo(packages, one.name);
  const kind = one.kind === 'deb' ? 'a Debian package' : 'a Python package';
  const why =
    chain.length < 2 ? '  no package depends on it: the recipe asks for it' : `  pulled in by ${chain.join(' → ')}`;
  const lines = [
    `${one.name}: ${kind}, version ${one.version}, ${files.length} files, ${formatSize(bytes)}`,
    why,
    ...(dependents.length === 0 ? [] : [`  needed by ${dependents.join(', ')}`]),
    ...(one.depends.length === 0 ? [] : [`  depends on ${one.depends.join(', ')}`]),
  ];
  const facts = { name: one.name, version: one.version, type: one.kind, files: files.length, bytes };
  return { kind: 'package', lines, facts: { ...facts, needed_by: dependents, depends: one.depends, chain } };
}

/** The shortest way from a package that nothing depends on. */
function chainTo(packages: readonly InstalledPackage[], name: string): readonly string[] {
  const wanted = new Set(packages.flatMap(({ depends }) => depends));
  const depends = new Map(packages.map((one) => [one.name, one.depends]));
  const queue = packages.filter((one) => !wanted.has(one.name)).map((one) => [one.name]);
  const seen = new Set(queue.map(([first]) => first));
  for (const chain of queue) {
    const last = chain.at(-1) ?? '';
    if (last === name) return chain;
    for (const next of depends.get(last) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...chain, next]);
    }
  }
  return [name];
}
