import { debianPackageOf, isBuiltIn, requirementOf } from './assemble/module-packages.ts';
import type { Entry } from './assemble/tree.ts';
import { formatSize } from './base/units.ts';
import type { ExplainContext, Story } from './explain-thing.ts';

const MODULE = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const MOST_NAMED = 10;

/** Folders that Python finds modules in: packages of either kind, and the standard library. */
const MODULE_FOLDER = /(?:^|\/)(?:site-packages|dist-packages|lib-dynload|lib\/python3\.\d+)$/;

/** A Python module that is there, with what brings it and its native libraries; or one that something known would bring. */
export function explainModule(context: ExplainContext, thing: string): readonly Story[] {
  if (!MODULE.test(thing)) return [];
  const entry = entryOf(context, thing);
  if (entry !== undefined) return [presentStory(context, thing, entry)];
  if (context.program !== undefined && isBuiltIn(thing)) {
    const lines = [`${thing}: a module that is built into the interpreter, \`${context.program}\``];
    return [{ kind: 'module', lines, facts: { name: thing, missing: false, built_in: true } }];
  }
  const debian = debianPackageOf(thing);
  const requirement = requirementOf(thing);
  if (debian === undefined && requirement === undefined) return [];
  const todo =
    debian === undefined ? `add ${requirement} to the requirements` : `add ${debian} to \`base.debian.packages\``;
  const lines = [`${thing}: not in the image; ${debian ?? requirement} brings this module`, `  hint: ${todo}`];
  return [{ kind: 'module', lines, facts: { name: thing, missing: true, package: debian, requirement } }];
}

function entryOf({ tree }: ExplainContext, thing: string): Entry | undefined {
  const relative = thing.replaceAll('.', '/');
  const folders = [...tree.keys()].filter((path) => tree.get(path)?.kind !== 'file' && MODULE_FOLDER.test(path));
  for (const folder of folders) {
    const base = `${folder}/${relative}`;
    const exact = [`${base}/__init__.py`, `${base}.py`, `${base}.abi3.so`, `${base}.so`];
    const found = exact.map((path) => tree.get(path)).find((entry) => entry !== undefined);
    if (found !== undefined) return found;
  }
  const bases = new Set(folders.map((folder) => `${folder}/${relative}`));
  for (const entry of tree.values()) {
    const [, base] = /^(.*?)\.cpython-[^/]*\.so$/.exec(entry.path) ?? [];
    if (base !== undefined && bases.has(base)) return entry;
  }
  return folders.map((folder) => tree.get(`${folder}/${relative}`)).find((entry) => entry?.kind === 'directory');
}

function presentStory({ tree }: ExplainContext, thing: string, entry: Entry): Story {
  const files = [...tree.values()].filter((one) => one.kind === 'file' && one.origin === entry.origin);
  const native = files.flatMap((one) => (one.kind === 'file' && one.elf?.dynamic === true ? [`/${one.path}`] : []));
  const bytes = files.reduce((sum, one) => sum + (one.kind === 'file' ? one.size : 0), 0);
  const more = native.length > MOST_NAMED ? [`    and ${native.length - MOST_NAMED} more`] : [];
  const what = entry.kind === 'directory' ? 'a namespace package' : 'a module';
  const lines = [
    `${thing}: ${what} at \`/${entry.path}\`, brought by ${entry.origin} (${files.length} files, ${formatSize(bytes)})`,
    ...(native.length === 0 ? ['  it has no native libraries'] : [`  native libraries of ${entry.origin}:`]),
    ...native.slice(0, MOST_NAMED).map((path) => `    \`${path}\``),
    ...more,
  ];
  const facts = { name: thing, missing: false, path: `/${entry.path}`, origin: entry.origin, bytes, native };
  return { kind: 'module', lines, facts: { ...facts, files: files.length } };
}
