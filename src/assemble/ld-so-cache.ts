import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { lookupIn } from './tree-lookup.ts';
import type { TreeLookup } from './tree-lookup.ts';
import { configuredLibraryFolders } from './ld-so-conf.ts';
import type { Contents, Tree } from './tree.ts';

/** A line of ld.so.cache: who asks for `soname` gets the file at `path`. */
export interface CachedLibrary {
  readonly soname: string;
  /** Absolute, through the folder as ldconfig would name it, such as `/lib/x86_64-linux-gnu/libz.so.1`. */
  readonly path: string;
}

export interface CacheInput {
  readonly tree: Tree;
  /** Read for `/etc/ld.so.conf` and what it includes. */
  readonly contents: Contents;
  readonly architecture: Architecture;
}

const MAGIC = 'glibc-ld.so.cache1.1';
const HEADER_BYTES = 48;
const ENTRY_BYTES = 24;
const LITTLE_ENDIAN = 2;

/** Kind of library: for glibc, and 64 bits of this machine. Source: glibc, `sysdeps/generic/ldconfig.h`. */
const FLAGS: Readonly<Record<Architecture, number>> = { amd64: 0x0303, arm64: 0x0a03 };

/**
 * The libraries that ldconfig would enter for this architecture, in the order of the cache: `libraryOrder` descending,
 * then the order of folders. Folders are those of ld.so.conf, then the usual ones; of two names for one folder the
 * first counts. Libraries in `glibc-hwcaps` are not entered: the cache then has the ones that every processor runs.
 * Nor are sonames beyond ASCII, which the loaders of the two architectures order differently.
 * Where the link that ldconfig would make from a soname is missing, the entry leads to the file itself.
 */
export function cachedLibraries(input: CacheInput): readonly CachedLibrary[] {
  const lookup = lookupIn(input.tree);
  const visited = new Set<string>();
  const libraries: CachedLibrary[] = [];
  for (const folder of [...configuredLibraryFolders(input.tree, input.contents), ...usualFolders(input.architecture)]) {
    const real = lookup.find(folder);
    if (real === undefined || real.file !== undefined || visited.has(real.path)) continue;
    visited.add(real.path);
    libraries.push(...librariesOf(lookup, folder, input.architecture));
  }
  return libraries.toSorted((a, b) => libraryOrder(b.soname, a.soname));
}

/** Debian's `libc.conf` and multiarch file, for images that have none, and the loader's built-in folders. */
function usualFolders(architecture: Architecture): readonly string[] {
  const { multiarch } = ARCHITECTURE_FACTS[architecture];
  const folders = ['/usr/local/lib', `/usr/local/lib/${multiarch}`, ...defaultFolders(architecture)];
  return [...folders, '/lib64', '/usr/lib64'];
}

/** Where Debian's loaders look without being told. Source: `strings ld-linux-*.so.*`, glibc 2.36 and 2.41. */
export function defaultFolders(architecture: Architecture): readonly string[] {
  const { multiarch } = ARCHITECTURE_FACTS[architecture];
  return [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, '/lib', '/usr/lib'];
}

const ASCII_NAME = /^[\x21-\x2e\x30-\x7e]+$/;

function librariesOf(lookup: TreeLookup, folder: string, architecture: Architecture): readonly CachedLibrary[] {
  const names = lookup.names(folder).filter((name) => /^(?:lib|ld-).*\.so/s.test(name));
  const real = lookup.find(folder)?.path ?? '';
  const best = new Map<string, string>();
  for (const name of names.toSorted(byteOrder)) {
    const found = lookup.find(`${folder}/${name}`);
    const elf = found?.file?.elf;
    if (elf === undefined || elf.machine !== ARCHITECTURE_FACTS[architecture].elfMachine || !elf.dynamic) continue;
    const soname = elf.soname ?? name;
    const key = found?.path !== `${real}/${name}` && isCompilerLink(name, soname) ? name : soname;
    const known = best.get(key);
    if (known === undefined || libraryOrder(known, name) < 0) best.set(key, name);
  }
  return [...best]
    .filter(([soname]) => ASCII_NAME.test(soname))
    .map(([soname, name]) => {
      const linked = lookup.find(`${folder}/${soname}`)?.file?.elf;
      return { soname, path: `${folder}/${linked === undefined ? name : soname}` };
    });
}

/** Whether a link is the `libx.so` that compilers look for, which is entered under its own name. */
function isCompilerLink(name: string, soname: string): boolean {
  return name.endsWith('.so') && soname.startsWith(name);
}

/**
 * The bytes of `/etc/ld.so.cache` in glibc's new format, without an extension. `libraries` must be in the order that
 * `cachedLibraries` gives, by which the loader searches. Source: glibc, `sysdeps/generic/dl-cache.h`.
 */
export function formatLdSoCache(libraries: readonly CachedLibrary[], architecture: Architecture): Uint8Array {
  const texts = new Map<string, number>();
  let end = HEADER_BYTES + ENTRY_BYTES * libraries.length;
  const stringsStart = end;
  for (const text of libraries.flatMap(({ soname, path }) => [soname, path])) {
    if (texts.has(text)) continue;
    texts.set(text, end);
    end += Buffer.byteLength(text) + 1;
  }
  const cache = Buffer.alloc(end);
  cache.write(MAGIC, 0, 'latin1');
  cache.writeUInt32LE(libraries.length, 20);
  cache.writeUInt32LE(end - stringsStart, 24);
  cache.writeUInt8(LITTLE_ENDIAN, 28);
  for (const [index, { soname, path }] of libraries.entries()) {
    const at = HEADER_BYTES + ENTRY_BYTES * index;
    cache.writeInt32LE(FLAGS[architecture], at);
    cache.writeUInt32LE(texts.get(soname) ?? 0, at + 4);
    cache.writeUInt32LE(texts.get(path) ?? 0, at + 8);
  }
  for (const [text, at] of texts) cache.write(text, at, 'utf8');
  return cache;
}

/**
 * Compares names as the loader's binary search does: runs of digits as numbers, which come after everything else;
 * other bytes by value. Source: glibc, `_dl_cache_libcmp` in `elf/dl-cache.c`.
 */
export function libraryOrder(a: string, b: string): number {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  let i = 0;
  let j = 0;
  while (i < left.length) {
    const x = left[i] ?? 0;
    const y = right[j] ?? 0;
    if (isDigit(x) !== isDigit(y)) return isDigit(x) ? 1 : -1;
    if (!isDigit(x)) {
      if (x !== y) return x - y;
      i += 1;
      j += 1;
      continue;
    }
    const first = numberAt(left, i);
    const second = numberAt(right, j);
    if (first.value !== second.value) return first.value - second.value;
    i = first.end;
    j = second.end;
  }
  return 0 - (right[j] ?? 0);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** The number at `start`, modulo 2^32 and signed as the loader's `int` is. */
function numberAt(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let end = start;
  for (; end < bytes.length && isDigit(bytes[end] ?? 0); end += 1)
    value = (Math.imul(value, 10) + (bytes[end] ?? 0) - 0x30) | 0;
  return { value, end };
}
