import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { ARCHITECTURE_FACTS, type Architecture } from '../base/architecture.ts';
import { digestFromHex, digestOf } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { parseIndexTargets, releaseFileOf, TARGET_FORMAT, updateError, type IndexTarget } from './apt-output.ts';
import type { AptRoot } from './apt-root.ts';
import { ALTERNATIVES } from './debian-alternatives.ts';
import { tailOf } from './redact.ts';
import { parseRelease } from './release-file.ts';

/** A package and where in the image it would put a library. */
export interface Provider {
  readonly package: string;
  /** Absolute; where the loader finds it, so for a library of the alternatives system the link. */
  readonly path: string;
}

/** Which packages have which libraries, by soname. */
export type LibraryIndex = ReadonlyMap<string, readonly Provider[]>;

/**
 * As apt-file asks for it, but for one architecture only: no library for a machine is in a package for all.
 * Source: apt.conf(5), "Acquire::IndexTargets"; Debian Wiki, "DebianRepository/Format".
 */
function contentsOptions(architecture: Architecture): readonly string[] {
  return [
    `MetaKey=$(COMPONENT)/Contents-${architecture}`,
    `ShortDescription=Contents-${architecture}`,
    `Description=$(RELEASE)/$(COMPONENT) Contents-${architecture}`,
    'PDiffs=false',
    'KeepCompressed=false',
    'DefaultEnabled=true',
  ].flatMap((option) => ['-o', `Acquire::IndexTargets::deb::Contents-deb::${option}`]);
}

const KEPT = 'libraries.tsv';

/**
 * The libraries of the archive, from its Contents indexes: those that apt has for the sources of `root`, checked against
 * the signed InRelease files. Fetched only when none, or others, were kept from an earlier time: some 13 MB for a suite.
 * Throws E_ARCHIVE_UNTRUSTED, E_DOWNLOAD.
 */
export async function archiveLibraries(root: AptRoot, architecture: Architecture): Promise<LibraryIndex> {
  const promised = await promisedContents(root, architecture);
  const kept = parseKept((await root.keptText(KEPT)) ?? '');
  if (kept !== undefined && kept.header === promised) return kept.index;
  const { exitCode, stdout, stderr } = await root.run('apt-get', ['update', ...contentsOptions(architecture)]);
  const rows: string[] = [];
  for (const target of await contentsTargets(root, architecture)) {
    rows.push(...(await readContents(root, target, architecture)));
  }
  // The small index of one pocket may be missing or just being replaced; without any there is nothing to go by.
  if (exitCode !== 0 && rows.length === 0) throw updateError(`${stdout}\n${stderr}`);
  const text = formatKept(promised, rows);
  await root.keepText(KEPT, text);
  return parseKept(text)?.index ?? new Map();
}

/** The libraries that an earlier `archiveLibraries` has found for these sources, however old; needs no network. */
export async function keptLibraries(root: AptRoot): Promise<LibraryIndex | undefined> {
  return parseKept((await root.keptText(KEPT)) ?? '')?.index;
}

/** What the InRelease files at hand say of the Contents indexes: it changes when one of them does. */
async function promisedContents(root: AptRoot, architecture: Architecture): Promise<string> {
  const { stdout } = await root.run('apt-get', ['indextargets', '--format', TARGET_FORMAT]);
  const lines: string[] = [];
  for (const target of parseIndexTargets(stdout)) {
    const release = await releaseOf(root, target);
    const metaKey = `${target.component}/Contents-${architecture}`;
    lines.push(`${target.suite} ${metaKey} ${release.digests.get(metaKey) ?? 'none'}`);
  }
  return JSON.stringify(lines);
}

async function contentsTargets(root: AptRoot, architecture: Architecture): Promise<readonly IndexTarget[]> {
  const words = ['indextargets', ...contentsOptions(architecture), '--format', TARGET_FORMAT];
  const { exitCode, stdout, stderr } = await root.run('apt-get', words);
  if (exitCode !== 0) throw new RootcellarError('E_RESOLVER_FAILED', `apt-get indextargets: ${tailOf(stderr, 4)}`);
  const targets = parseIndexTargets(stdout, 'Contents-deb');
  return [...new Map(targets.map((target) => [target.file, target])).values()];
}

async function releaseOf(root: AptRoot, target: IndexTarget): Promise<ReturnType<typeof parseRelease>> {
  const bytes =
    (await root.read(releaseFileOf(target, 'InRelease'))) ?? (await root.read(releaseFileOf(target, 'Release')));
  return parseRelease(Buffer.from(bytes ?? []).toString());
}

async function readContents(
  root: AptRoot,
  target: IndexTarget,
  architecture: Architecture,
): Promise<readonly string[]> {
  const hash = createHash('sha256');
  const rows: string[] = [];
  const isLibrary = libraryFilter(architecture);
  for await (const line of linesOf(root.stream(target.file), hash)) {
    const [, path = '', packages = ''] = /^(\S.*?)\s+(\S+)$/.exec(line) ?? [];
    const soname = isLibrary(path);
    if (soname === undefined) continue;
    for (const name of packages.split(','))
      rows.push(`${soname.name}\t${soname.path}\t${name.slice(name.lastIndexOf('/') + 1)}`);
  }
  const promised = (await releaseOf(root, target)).digests.get(target.metaKey);
  if (promised !== digestFromHex(hash.digest('hex'))) {
    throw new RootcellarError(
      'E_ARCHIVE_UNTRUSTED',
      `debian archive: suite \`${target.suite}\`: \`${target.metaKey}\` does not match the signed index`,
      { hint: 'run the same command again; if it stays so, the mirror is broken or hostile' },
    );
  }
  return rows;
}

/** No longer than any path, so that a hostile index fills no memory. */
const LONGEST_LINE = 64 * 1024;

async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    hash.update(chunk);
    const lines = (rest + decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) rest = '';
    yield* lines;
  }
  yield rest;
}

/** Folders in which the loader of an image finds a library, with ldconfig's help or without it; relative to the root. */
function loaderFolders(architecture: Architecture): readonly string[] {
  const { multiarch } = ARCHITECTURE_FACTS[architecture];
  const own = [`usr/lib/${multiarch}`, `lib/${multiarch}`, 'usr/lib', 'lib', 'usr/lib64', 'lib64'];
  return [...own, 'usr/local/lib', `usr/local/lib/${multiarch}`];
}

/** Tells the library that is at a path of a package and that a loader would find, and where. Paths have no first slash. */
export function libraryFilter(
  architecture: Architecture,
): (path: string) => { readonly name: string; readonly path: string } | undefined {
  const { multiarch } = ARCHITECTURE_FACTS[architecture];
  const folders = new Set(loaderFolders(architecture));
  const links = new Map(
    ALTERNATIVES.map(([, link, , target]) => [
      target.replaceAll('MULTIARCH', multiarch).slice(1),
      link.replaceAll('MULTIARCH', multiarch),
    ]),
  );
  return (path) => {
    if (!/\.so(?:\.|$)/.test(path)) return undefined;
    const at = links.get(path) ?? path;
    const slash = at.lastIndexOf('/');
    if (!folders.has(at.slice(0, slash))) return undefined;
    return { name: at.slice(slash + 1), path: `/${at.replace(/^lib/, 'usr/lib')}` };
  };
}

function formatKept(header: string, rows: readonly string[]): string {
  const body = `${header}\n${[...new Set(rows)].join('\n')}\n`;
  return `${digestOf(body)}\n${body}`;
}

/** Undefined for what is not whole: the cache may be anything. */
function parseKept(text: string): { readonly header: string; readonly index: LibraryIndex } | undefined {
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  if (end < 0 || text.slice(0, end) !== digestOf(body)) return undefined;
  const [header = '', ...rows] = body.split('\n');
  const index = new Map<string, Provider[]>();
  for (const row of rows) {
    const [soname = '', path = '', name = ''] = row.split('\t');
    if (name === '') continue;
    const known = index.get(soname);
    if (known === undefined) index.set(soname, [{ package: name, path }]);
    else known.push({ package: name, path });
  }
  return { header, index };
}
