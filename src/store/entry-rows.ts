import type { ElfFacts, Entry } from '../assemble/tree.ts';
import type { Json } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import { digestFromText, numberFrom, textFrom, textsFrom, listFrom, recordFrom } from './json-shape.ts';

/**
 * Entries as JSON: short to write, quick to parse. A row is
 * `[kind, path, mode, uid, gid, mtime, index into origins, …]`, then for a file its size, hex digest and, if it has them,
 * ELF facts; for links the target.
 */
export function encodeEntries(entries: Iterable<Entry>): Json {
  const origins = new Map<string, number>();
  const rows = Array.from(entries, (entry) => encodeEntry(entry, origins));
  return { origins: [...origins.keys()], rows };
}

/** The entries that `encodeEntries` wrote. Throws a plain Error on anything else. */
export function decodeEntries(value: unknown): Entry[] {
  const table = recordFrom(value);
  const origins = textsFrom(table['origins']);
  return listFrom(table['rows']).map((row) => decodeEntry(listFrom(row), origins));
}

function encodeEntry(entry: Entry, origins: Map<string, number>): Json {
  const origin = origins.get(entry.origin) ?? origins.size;
  origins.set(entry.origin, origin);
  const common = [entry.path, entry.mode, entry.uid, entry.gid, entry.mtime, origin] as const;
  if (entry.kind === 'directory') return ['d', ...common];
  if (entry.kind !== 'file') return [entry.kind === 'symlink' ? 'l' : 'h', ...common, entry.target];
  const row: Json[] = ['f', ...common, entry.size, hexOf(entry.digest)];
  return entry.elf === undefined ? row : [...row, { ...entry.elf }];
}

function decodeEntry(row: readonly unknown[], origins: readonly string[]): Entry {
  const metadata = {
    path: textFrom(row[1]),
    mode: numberFrom(row[2]),
    uid: numberFrom(row[3]),
    gid: numberFrom(row[4]),
    mtime: numberFrom(row[5]),
    origin: textFrom(origins[numberFrom(row[6])]),
  };
  switch (row[0]) {
    case 'f': {
      const file = { kind: 'file', ...metadata, size: numberFrom(row[7]), digest: digestFromText(row[8]) } as const;
      return row.length === 9 ? file : { ...file, elf: decodeElf(row[9]) };
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

function decodeElf(value: unknown): ElfFacts {
  const facts = recordFrom(value);
  return {
    machine: numberFrom(facts['machine']),
    bits: facts['bits'] === 32 ? 32 : 64,
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
