import { RootcellarError } from '../base/rootcellar-error.ts';
import { memoryBytes, type ElfBytes } from './elf-bytes.ts';
import type { ElfFacts } from './tree.ts';

const MAGIC = 0x7f454c46;
const LOADABLE_TYPES: ReadonlySet<number> = new Set([2, 3]);

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;

const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const DT_FLAGS_1 = 0x6ffffffb;
const DT_FILTER = 0x7fffffff;
const DT_VERDEF = 0x6ffffffc;
const DT_VERDEFNUM = 0x6ffffffd;
const DT_VERNEED = 0x6ffffffe;
const DT_VERNEEDNUM = 0x6fffffff;

const TAGS: ReadonlySet<number> = new Set([
  DT_NEEDED,
  DT_STRTAB,
  DT_STRSZ,
  DT_SONAME,
  DT_RPATH,
  DT_RUNPATH,
  DT_FLAGS_1,
  DT_FILTER,
  DT_VERDEF,
  DT_VERDEFNUM,
  DT_VERNEED,
  DT_VERNEEDNUM,
]);

const DF_1_NODEFLIB = 0x800;
/** `ELFOSABI_SYSV` and `ELFOSABI_GNU`: a loader of glibc takes no other. Source: glibc, `VALID_ELF_OSABI`. */
const LINUX_ABIS: ReadonlySet<number> = new Set([0, 3]);
const VER_FLG_BASE = 1;
const VER_FLG_WEAK = 2;

/** Bounds on what a hostile file can make us do; real libraries need less than a tenth. */
const MOST_SEGMENTS = 4096;
const MOST_STRINGS = 65_536;
const MOST_STRING_BYTES = 4 * 1024 ** 2;
const LARGEST_STRINGS = 64 * 1024 ** 2;

/**
 * What a loader would read of `content`, a whole file. Undefined when it is no ELF file, or one that no loader takes
 * (object files, core dumps, unknown classes). Addresses are mapped through the `PT_LOAD` segments, as a loader does.
 * `versionsNeeded` leaves out weak needs and `versionsDefined` the base definition: loaders insist on neither. What
 * `DT_FILTER` names is needed; what `DT_AUXILIARY` names is not, because loaders go on without it.
 * Throws E_ARTIFACT_INVALID when a program or library refers to what is not in the file, or to absurdly much of it.
 * Source: System V ABI, "ELF Header", "Program Header", "Dynamic Section"; LSB, "Symbol Versioning".
 */
export function parseElf(content: Uint8Array): ElfFacts | undefined {
  return parseElfIn(memoryBytes(content));
}

/** Like `parseElf`, of a file that is not in memory: reads only what a loader would. */
export function parseElfIn(content: ElfBytes): ElfFacts | undefined {
  const file = openElf(content);
  if (file === undefined) return undefined;
  const segments = readSegments(file);
  const dynamic = segments.find(({ type, fileSize }) => type === PT_DYNAMIC && fileSize > 0);
  return {
    machine: u16(file, 18),
    bits: file.bits,
    ...(isForeign(file) ? { foreign: true as const } : {}),
    interpreter: readInterpreter(file, segments),
    ...(dynamic === undefined ? STATIC : readDynamic(file, segments, dynamic)),
  };
}

type DynamicFacts = Omit<ElfFacts, 'machine' | 'bits' | 'foreign' | 'interpreter'>;

const STATIC: DynamicFacts = {
  soname: undefined,
  needed: [],
  rpath: [],
  runpath: [],
  versionsNeeded: {},
  versionsDefined: [],
  noDefaultLibraries: false,
  dynamic: false,
};

interface ElfFile {
  readonly view: ElfBytes;
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

function openElf(view: ElfBytes): ElfFile | undefined {
  if (view.byteLength < 20 || view.getUint32(0, false) !== MAGIC) return undefined;
  const fileClass = view.getUint8(4);
  const byteOrder = view.getUint8(5);
  if ((fileClass !== 1 && fileClass !== 2) || (byteOrder !== 1 && byteOrder !== 2)) return undefined;
  const file: ElfFile = { view, bits: fileClass === 1 ? 32 : 64, littleEndian: byteOrder === 1 };
  return LOADABLE_TYPES.has(u16(file, 16)) ? file : undefined;
}

function isForeign({ view, littleEndian }: ElfFile): boolean {
  return !littleEndian || !LINUX_ABIS.has(view.getUint8(7));
}

function readSegments(file: ElfFile): readonly Segment[] {
  const wide = file.bits === 64;
  const start = word(file, wide ? 32 : 28);
  const size = u16(file, wide ? 54 : 42);
  const count = u16(file, wide ? 56 : 44);
  if (count > MOST_SEGMENTS) malformed(`it has ${count} program headers`);
  if (count > 0 && size < (wide ? 56 : 32)) malformed(`its program headers are of ${size} bytes`);
  return Array.from({ length: count }, (_, index) => readSegment(file, start + index * size));
}

function readSegment(file: ElfFile, at: number): Segment {
  const wide = file.bits === 64;
  return {
    type: u32(file, at),
    offset: word(file, at + (wide ? 8 : 4)),
    address: word(file, at + (wide ? 16 : 8)),
    fileSize: word(file, at + (wide ? 32 : 16)),
  };
}

function readInterpreter(file: ElfFile, segments: readonly Segment[]): string | undefined {
  const segment = segments.find(({ type, fileSize }) => type === PT_INTERP && fileSize > 0);
  if (segment === undefined) return undefined;
  return readString(openStrings(file, segment.offset, segment.fileSize), 0);
}

function readDynamic(file: ElfFile, segments: readonly Segment[], dynamic: Segment): DynamicFacts {
  const entries = readDynamicEntries(file, dynamic);
  const values = new Map(entries);
  const at = (tag: number): number | undefined => fileOffset(segments, values.get(tag));
  const strings = openStrings(file, at(DT_STRTAB) ?? 0, values.get(DT_STRSZ) ?? 0);
  const text = (tag: number): string | undefined => {
    const index = values.get(tag);
    return index === undefined ? undefined : readString(strings, index);
  };
  const runpath = text(DT_RUNPATH);
  return {
    soname: text(DT_SONAME),
    needed: entries
      .filter(([tag]) => tag === DT_NEEDED || tag === DT_FILTER)
      .map(([, index]) => readString(strings, index)),
    rpath: (runpath === undefined ? text(DT_RPATH) : undefined)?.split(':') ?? [],
    runpath: runpath?.split(':') ?? [],
    versionsNeeded: readNeededVersions(file, strings, { at: at(DT_VERNEED), count: values.get(DT_VERNEEDNUM) ?? 0 }),
    versionsDefined: readDefinedVersions(file, strings, { at: at(DT_VERDEF), count: values.get(DT_VERDEFNUM) ?? 0 }),
    noDefaultLibraries: hasFlag(values.get(DT_FLAGS_1), DF_1_NODEFLIB),
    dynamic: true,
  };
}

type DynamicEntry = readonly [tag: number, value: number];

/** The entries before `DT_NULL` that have a meaning here; others may hold values that no JavaScript number can. */
function readDynamicEntries(file: ElfFile, segment: Segment): readonly DynamicEntry[] {
  const width = file.bits / 8;
  if (segment.offset + segment.fileSize > file.view.byteLength) malformed('its dynamic section ends after the file');
  const entries: DynamicEntry[] = [];
  const end = segment.offset + segment.fileSize - 2 * width;
  for (let at = segment.offset; at <= end; at += 2 * width) {
    const tag = smallWord(file, at);
    if (tag === DT_NULL) break;
    if (tag !== undefined && TAGS.has(tag)) entries.push([tag, word(file, at + width)]);
  }
  return entries;
}

function hasFlag(flags: number | undefined, flag: number): boolean {
  return flags !== undefined && Math.floor(flags / flag) % 2 === 1;
}

interface VersionSection {
  readonly at: number | undefined;
  readonly count: number;
}

function readNeededVersions(
  file: ElfFile,
  strings: Strings,
  section: VersionSection,
): Readonly<Record<string, readonly string[]>> {
  const versions = new Map<string, string[]>();
  for (const need of linkedRecords(file, section, 12)) {
    const library = readString(strings, u32(file, need + 4));
    const names = versions.get(library) ?? [];
    versions.set(library, names);
    for (const part of linkedRecords(file, { at: need + u32(file, need + 8), count: u16(file, need + 2) }, 12)) {
      const name = readString(strings, u32(file, part + 8));
      if ((u16(file, part + 4) & VER_FLG_WEAK) === 0) names.push(name);
    }
  }
  return Object.fromEntries(versions);
}

function readDefinedVersions(file: ElfFile, strings: Strings, section: VersionSection): readonly string[] {
  const names: string[] = [];
  for (const definition of linkedRecords(file, section, 16)) {
    if ((u16(file, definition + 2) & VER_FLG_BASE) !== 0) continue;
    names.push(readString(strings, u32(file, definition + u32(file, definition + 12))));
  }
  return names;
}

/**
 * Offsets of at most `count` records, each of which tells at `next` how far the one after it is; 0 ends the list.
 * Distances are unsigned, so that the walk only goes forward and ends with the file.
 */
function* linkedRecords(file: ElfFile, section: VersionSection, next: number): Generator<number, void, undefined> {
  if (section.at === undefined) return;
  let at = section.at;
  for (let left = section.count; left > 0; left -= 1) {
    yield at;
    const distance = u32(file, at + next);
    if (distance === 0) return;
    at += distance;
  }
}

/** A string table, and how much may still be read of it: strings may overlap, so its size bounds nothing. */
interface Strings {
  readonly bytes: Uint8Array;
  readonly budget: { strings: number; bytes: number };
}

function openStrings(file: ElfFile, at: number, size: number): Strings {
  if (at + size > file.view.byteLength) malformed('its string table ends after the file');
  if (size > LARGEST_STRINGS) malformed('its string table is larger than any');
  const bytes = file.view.bytes(at, size);
  return { bytes, budget: { strings: MOST_STRINGS, bytes: MOST_STRING_BYTES } };
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

function readString({ bytes, budget }: Strings, index: number): string {
  const end = index < bytes.length ? bytes.indexOf(0, index) : -1;
  if (end < 0) return malformed(`its string ${index} is outside of its string table`);
  budget.strings -= 1;
  budget.bytes -= end - index;
  if (budget.strings < 0 || budget.bytes < 0)
    return malformed('it names more libraries and versions than can be meant');
  return UTF8.decode(bytes.subarray(index, end));
}

/** Where in the file the bytes are that a loader maps to `address`. */
function fileOffset(segments: readonly Segment[], address: number | undefined): number | undefined {
  if (address === undefined) return undefined;
  const segment = segments.find(
    (candidate) =>
      candidate.type === PT_LOAD && address >= candidate.address && address - candidate.address < candidate.fileSize,
  );
  if (segment === undefined) return malformed(`address 0x${address.toString(16)} is in none of its segments`);
  return segment.offset + (address - segment.address);
}

function u16({ view, littleEndian }: ElfFile, at: number): number {
  if (at + 2 > view.byteLength) return malformed('it is cut short');
  return view.getUint16(at, littleEndian);
}

function u32({ view, littleEndian }: ElfFile, at: number): number {
  if (at + 4 > view.byteLength) return malformed('it is cut short');
  return view.getUint32(at, littleEndian);
}

/** An address, offset or size: 4 or 8 bytes. */
function word(file: ElfFile, at: number): number {
  return smallWord(file, at) ?? malformed('it has an offset beyond the end of any file');
}

/** Undefined for what is larger than 2^53 - 1. */
function smallWord(file: ElfFile, at: number): number | undefined {
  if (file.bits === 32) return u32(file, at);
  const first = u32(file, at);
  const second = u32(file, at + 4);
  const [low, high] = file.littleEndian ? [first, second] : [second, first];
  return high < 2 ** 21 ? high * 2 ** 32 + low : undefined;
}

function malformed(fault: string): never {
  throw new RootcellarError('E_ARTIFACT_INVALID', `ELF file: ${fault}`);
}
