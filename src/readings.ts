import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { digestOf, hexOf } from './base/digest.ts';
import { isReadAgain, watchReads, type FileRead } from './recipe/bounded-file.ts';

/** What is read, and where results are kept. */
export interface ReadingSubject {
  readonly kind: 'recipe' | 'lockfile';
  /** The real path of the file that is read first. */
  readonly file: string;
  /** The folder of the store; nothing is kept where there is no store yet. */
  readonly home: string;
}

interface Reading<T> {
  readonly reads: readonly FileRead[];
  readonly value: T;
}

/** A larger value takes as long to read back as to make. */
const LARGEST_KEPT = 4 * 1024 ** 2;
const MOST_KEPT = 200;
/** Folders of this program in which the code is that reads recipes and lockfiles. */
const READERS = ['base', 'recipe', 'resolve', 'lock', 'run'];

/**
 * What `read` gives; if every file that it read last time has the same bytes still, what it gave then. Checking a recipe
 * and its lockfile takes longer than all else where nothing has changed, most of it for loading the code that does.
 *
 * `read` must depend on nothing but the files that it reads by `recipe/bounded-file.ts`. Only plain data are kept: a value
 * that does not come back equal is read anew each time. So is a recipe that names a source which was not read that way.
 * What is kept is a convenience: damaged, missing or of another version of this program, it is passed over.
 */
export async function readOnce<T>(subject: ReadingSubject, read: () => Promise<T>): Promise<T> {
  const file = readingPath(subject);
  const kept = loadReading<T>(file);
  if (kept !== undefined && (await areReadAgain(kept.reads))) return kept.value;
  const reading = await watchReads(read);
  if (existsSync(join(subject.home, 'rootcellar-store.json'))) await keepReading(file, reading);
  return reading.value;
}

function readingFolder(home: string): string {
  return join(home, 'cache', 'readings');
}

function readingPath({ kind, file, home }: ReadingSubject): string {
  return join(readingFolder(home), hexOf(digestOf([kind, file, programIdentity()].join('\0'))));
}

let identity: string | undefined;

/** Tells versions of this program apart, those that a developer makes every minute too. */
function programIdentity(): string {
  identity ??= READERS.flatMap((folder) => {
    const path = join(import.meta.dirname, folder);
    return readdirSync(path).map((name) => {
      const { size, mtimeMs } = statSync(join(path, name));
      return `${folder}/${name} ${size} ${mtimeMs}`;
    });
  }).join('\n');
  return identity;
}

async function areReadAgain(reads: readonly FileRead[]): Promise<boolean> {
  return (await Promise.all(reads.map(isReadAgain))).every(Boolean);
}

/** The first 64 bytes are the hex digest of the rest. */
function loadReading<T>(file: string): Reading<T> | undefined {
  try {
    const bytes = readFileSync(file);
    const body = bytes.subarray(64);
    if (bytes.toString('latin1', 0, 64) !== hexOf(digestOf(body))) return undefined;
    const value: unknown = deserialize(body);
    return isReading<T>(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** That the value is of its type follows from who wrote it: this version of the program, as the digest shows. */
function isReading<T>(value: unknown): value is Reading<T> {
  return typeof value === 'object' && value !== null && 'reads' in value && Array.isArray(value.reads);
}

/** Not synced: after a crash the digest tells. Whatever goes wrong, the next command reads for itself. */
async function keepReading(file: string, reading: Reading<unknown>): Promise<void> {
  const folder = join(file, '..');
  const temporary = `${file}.${randomUUID()}`;
  try {
    const body = serialize(reading);
    if (body.length > LARGEST_KEPT || !isWatched(reading) || !isDeepStrictEqual(deserialize(body), reading)) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const others = readdirSync(folder);
    if (others.length >= MOST_KEPT) for (const name of others) rmSync(join(folder, name), { force: true });
    writeFileSync(temporary, Buffer.concat([Buffer.from(hexOf(digestOf(body)), 'latin1'), body]), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    removeIfPossible(temporary);
  }
}

/** In a folder that this user cannot enter, or that is none, there is nothing of ours to remove. */
function removeIfPossible(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Whether the store can be used at all is told by whoever needs it.
  }
}

/** Whether everything that a recipe calls its source is among what was read. */
function isWatched({ reads, value }: Reading<unknown>): boolean {
  if (typeof value !== 'object' || value === null || !('sources' in value) || !Array.isArray(value.sources))
    return true;
  const watched = new Set(reads.map(({ digest }) => digest));
  return value.sources.every((source: { readonly digest?: FileRead['digest'] }) => watched.has(source.digest));
}
