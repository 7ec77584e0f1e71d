import type { ElfFacts, Entry, FileEntry } from '../assemble/tree.ts';
import type { Json } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { digestFromText, numberFrom, textFrom, textsFrom, listFrom, recordFrom } from './json-shape.ts';

/** A content by the number that it has in a pack. */
export interface NumberedContent {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Entries as JSON: short to write, quick to parse. A row is
 * `[kind, path, mode, uid, gid, mtime, index into origins, …]`, then for a file its size and hex digest, or, in a row of
 * kind `n`, the number that `numbers` has for its digest, and ELF facts, if it has them; for links the target.
 */
export function encodeEntries(entries: Iterable<Entry>, numbers: ReadonlyMap<Digest, number> = NO_NUMBERS): Json {
  const origins = new Map<string, number>();
  const rows: Json[] = [];
  for (const entry of entries) {
    const origin = origins.get(entry.origin) ?? origins.size;
    if (origin === origins.size) origins.set(entry.origin, origin);
    rows.push(encodeEntry(entry, origin, numbers));
  }
  return { origins: [...origins.keys()], rows };
}

/** The entries that `encodeEntries` wrote; `contents` by their numbers. Throws a plain Error on anything else. */
export function decodeEntries(value: unknown, contents: readonly NumberedContent[] = []): Entry[] {
  const table = recordFrom(value);
  const origins = textsFrom(table['origins']);
  return listFrom(table['rows']).map((row) => decodeEntry(listFrom(row), origins, contents));
}

const NO_NUMBERS: ReadonlyMap<Digest, number> = new Map();

function encodeEntry(entry: Entry, origin: number, numbers: ReadonlyMap<Digest, number>): Json {
  const { path, mode, uid, gid, mtime } = entry;
  if (entry.kind === 'directory') return ['d', path, mode, uid, gid, mtime, origin];
  if (entry.kind === 'symlink') return ['l', path, mode, uid, gid, mtime, origin, entry.target];
  if (entry.kind === 'hardlink') return ['h', path, mode, uid, gid, mtime, origin, entry.target];
  const number = numbers.get(entry.digest);
  const row: Json[] =
    number === undefined
      ? ['f', path, mode, uid, gid, mtime, origin, entry.size, hexOf(entry.digest)]
      : ['n', path, mode, uid, gid, mtime, origin, number];
  if (entry.elf !== undefined) row.push({ ...entry.elf });
  else if (entry.elfFault !== undefined) row.push(entry.elfFault);
  return row;
}

function decodeEntry(row: readonly unknown[], origins: readonly string[], contents: readonly NumberedContent[]): Entry {
  const metadata = {
    path: textFrom(row[1]),
    mode: numberFrom(row[2]),
    uid: numberFrom(row[3]),
    gid: numberFrom(row[4]),
    mtime: numberFrom(row[5]),
    origin: textFrom(origins[numberFrom(row[6])]),
  };
  switch (row[0]) {
    case 'f':
      return decodeFile({ ...metadata, size: numberFrom(row[7]), digest: digestFromText(row[8]) }, row[9]);
    case 'n': {
      const { digest, size } = contentFrom(row[7], contents);
      return decodeFile({ ...metadata, size, digest }, row[8]);
    }
    case 'd':
      return { kind: 'directory', ...metadata };
    case 'l':
      return { kind: 'symlink', ...metadata, target: textFrom(row[7]) };
    case 'h':
      return { kind: 'hardlink', ...metadata, target: textFrom(row[7]) };
    default:
      throw new Error('an entry is of no known kind');
  }
}

function decodeFile(file: Omit<FileEntry, 'kind' | 'elf'>, elf: unknown): FileEntry {
  if (typeof elf === 'string') return { kind: 'file', ...file, elfFault: elf };
  return elf === undefined ? { kind: 'file', ...file } : { kind: 'file', ...file, elf: decodeElf(elf) };
}

function contentFrom(number: unknown, contents: readonly NumberedContent[]): NumberedContent {
  const content = contents[numberFrom(number)];
  if (content === undefined) throw new Error('a content is missing');
  return content;
}

function decodeElf(value: unknown): ElfFacts {
  const facts = recordFrom(value);
  return {
    machine: numberFrom(facts['machine']),
    bits: facts['bits'] === 32 ? 32 : 64,
    ...(facts['foreign'] === true ? { foreign: true } : {}),
    ...(facts['interpreter'] === undefined ? {} : { interpreter: textFrom(facts['interpreter']) }),
    ...(facts['soname'] === undefined ? {} : { soname: textFrom(facts['soname']) }),
    needed: textsFrom(facts['needed']),
    rpath: textsFrom(facts['rpath']),
    runpath: textsFrom(facts['runpath']),
    versionsNeeded: Object.fromEntries(
      Object.entries(recordFrom(facts['versionsNeeded'])).map(([library, versions]) => [library, textsFrom(versions)]),
    ),
    versionsDefined: textsFrom(facts['versionsDefined']),
    noDefaultLibraries: facts['noDefaultLibraries'] === true,
    dynamic: facts['dynamic'] === true,
  };
}
