import { normalName } from '../recipe/requirement-parts.ts';
import type { Interpreter, WheelArtifact } from '../resolve/resolution.ts';
import { artifactWriter, type ArtifactWriter, type EntryFacts } from './artifact-writer.ts';
import { blaming, invalidArtifact, type ByteSource } from './byte-source.ts';
import { parseImagePath, type ImagePath } from '../base/image-path.ts';
import type { ContentSink, FileEntry, UnpackedArtifact } from './tree.ts';
import { relativePath } from './usr-merge.ts';
import { placeFiles, scriptsFolder, wheelLayout, within, type PlacedFile, type WheelLayout } from './wheel-layout.ts';
import { entryPointProgram, normalizedVersion, parseEntryPoints, parseHeaders } from './wheel-metadata.ts';
import {
  checkRecordLine,
  formatRecord,
  parseRecord,
  recordCheck,
  recordHash,
  type RecordLine,
} from './wheel-record.ts';
import type { ZipEntry } from './zip-directory.ts';
import { isLargeEntry, openZip, readZipEntry, zipEntryChunks, type ZipArchive } from './zip-reader.ts';

export interface WheelInput {
  readonly artifact: WheelArtifact;
  readonly source: ByteSource;
  readonly interpreter: Interpreter;
  readonly sink: ContentSink;
}

/** A wheel being installed. */
interface Installation extends WheelInput {
  readonly archive: string;
  readonly zip: ZipArchive;
  readonly layout: WheelLayout;
  readonly writer: ArtifactWriter;
  /** The new RECORD, as it grows. */
  readonly installed: RecordLine[];
}

/**
 * Installs a wheel as its specification says, for an interpreter that need not run here: nothing of it is executed.
 * Compiled Python is left out. Source: "Binary distribution format"; PEP 427.
 * E_ARTIFACT_INVALID: malformed or hostile, not the release that was locked, or a file that RECORD does not vouch for.
 */
export async function installWheel(input: WheelInput): Promise<UnpackedArtifact> {
  const archive = input.artifact.file;
  const zip = await openZip(input.source, archive);
  const layout = blaming(archive, () => wheelLayout(zip.entries));
  const origin = `${input.artifact.name} ${input.artifact.version}`;
  const writer = artifactWriter({ archive, archiveSize: input.source.size, origin, sink: input.sink });
  const wheel: Installation = { ...input, archive, zip, layout, writer, installed: [] };
  const metadata = await checkWheel(wheel);
  await installFiles(wheel);
  await installPrograms(wheel);
  await writeRecord(wheel);
  return { entries: writer.finish(), scripts: [], metadata };
}

/** Returns the METADATA. */
async function checkWheel(wheel: Installation): Promise<string> {
  const { artifact, archive } = wheel;
  const format = parseHeaders(await readInfo(wheel, 'WHEEL')).get('wheel-version') ?? '';
  if (!/^1\.\d+$/.test(format)) throw invalidArtifact(archive, `its Wheel-Version is \`${format}\`, not 1`);
  const metadata = await readInfo(wheel, 'METADATA');
  const headers = parseHeaders(metadata);
  const [name, version] = [headers.get('name') ?? '', headers.get('version') ?? ''];
  const isLocked =
    normalName(name) === normalName(artifact.name) &&
    normalizedVersion(version) === normalizedVersion(artifact.version);
  if (isLocked) return metadata;
  throw invalidArtifact(
    archive,
    `it is \`${name} ${version}\`, not \`${artifact.name} ${artifact.version}\` as locked`,
  );
}

async function installFiles(wheel: Installation): Promise<void> {
  const { archive, layout, artifact, interpreter, zip } = wheel;
  const recordText = await readInfo(wheel, 'RECORD');
  const record = blaming(archive, () => parseRecord(recordText));
  const placed = blaming(archive, () => placeFiles(layout, artifact.name, interpreter));
  blaming(archive, () => checkListed(layout, record));
  for await (const [file, content] of readAhead(zip, placed)) {
    const line = record.get(file.entry.name);
    if (line === undefined) throw new Error(`unreachable: ${file.entry.name} is not in RECORD`);
    if (content === undefined) {
      await installLarge(wheel, file, line);
      continue;
    }
    blaming(archive, () => checkRecordLine(line, content));
    const final = file.isScript ? withInterpreter(content, interpreter.path) : content;
    await install(wheel, { ...factsOf(file), mode: modeOf(file) }, final);
  }
}

/**
 * Inflating the next files, which zlib does on other threads, goes on while one is hashed and written. Large files are not
 * read, and have no content here.
 */
async function* readAhead(
  zip: ZipArchive,
  files: readonly PlacedFile[],
): AsyncGenerator<readonly [PlacedFile, Uint8Array | undefined]> {
  const started: { readonly file: PlacedFile; readonly content: Promise<Uint8Array | undefined> }[] = [];
  for (const file of files) {
    const content = isLargeEntry(file.entry) ? Promise.resolve(undefined) : readZipEntry(zip, file.entry);
    // A failure counts when its turn comes, not before.
    content.catch(() => undefined);
    started.push({ file, content });
    const first = started.length > READ_AHEAD ? started.shift() : undefined;
    if (first !== undefined) yield [first.file, await first.content];
  }
  for (const { file, content } of started) yield [file, await content];
}

const READ_AHEAD = 4;

/** A file that may be larger than memory is checked as it passes: when it is not what it says, nothing of the wheel is kept. */
async function installLarge(wheel: Installation, file: PlacedFile, line: RecordLine): Promise<void> {
  const { archive, zip, interpreter, writer } = wheel;
  const { entry, isScript } = file;
  const start = isScript ? await startOf(zip, entry) : new Uint8Array(0);
  const final = withInterpreter(start, interpreter.path);
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const check = blaming(archive, () => recordCheck(line));
    let passed = 0;
    yield final;
    for await (const chunk of zipEntryChunks(zip, entry)) {
      check.update(chunk);
      yield chunk.subarray(Math.max(0, start.length - passed));
      passed += chunk.length;
    }
    blaming(archive, () => check.end());
  };
  const facts = { ...factsOf(file), mode: modeOf(file) };
  const size = entry.size - start.length + final.length;
  addInstalled(wheel, await writer.addStream(facts, { size, chunks }));
}

/** The first bytes, in which a line for the kernel would be. */
async function startOf(zip: ZipArchive, entry: ZipEntry): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  for await (const chunk of zipEntryChunks(zip, entry)) {
    start = Buffer.concat([start, chunk.subarray(0, START_BYTES)]);
    if (start.length >= START_BYTES) break;
  }
  return start.subarray(0, START_BYTES);
}

const START_BYTES = 16;
/** Of a RECORD of half a million files. */
const LARGEST_TEXT = 64 * 1024 ** 2;

/** Every file of the wheel must be in RECORD, and the other way round; RECORD and its signatures cannot be. */
function checkListed({ files, distInfo }: WheelLayout, record: ReadonlyMap<string, RecordLine>): void {
  const names = new Set(files.map(({ name }) => name));
  const free = new Set(['RECORD', 'RECORD.jws', 'RECORD.p7s'].map((file) => `${distInfo}/${file}`));
  const unlisted = files.find(({ name }) => !record.has(name) && !free.has(name));
  if (unlisted !== undefined) throw new Error(`\`${unlisted.name}\` is not in RECORD`);
  const absent = [...record.keys()].find((name) => !names.has(name) && !name.endsWith('.pyc'));
  if (absent !== undefined) throw new Error(`\`${absent}\` is in RECORD but not in the wheel`);
}

async function installPrograms(wheel: Installation): Promise<void> {
  const { layout, archive, interpreter } = wheel;
  const entry = layout.files.find(({ name }) => name === `${layout.distInfo}/entry_points.txt`);
  if (entry === undefined) return;
  const text = await readText(wheel, entry);
  for (const point of blaming(archive, () => parseEntryPoints(text))) {
    const path = blaming(archive, () => within(scriptsFolder(interpreter), point.name));
    const facts = { path, mode: 0o755, uid: 0, gid: 0, mtime: entry.mtime };
    await install(wheel, facts, Buffer.from(entryPointProgram(point, interpreter.path)));
  }
}

async function writeRecord(wheel: Installation): Promise<void> {
  const { layout, interpreter, installed, writer } = wheel;
  const mtime = layout.files.find(({ name }) => name === `${layout.distInfo}/RECORD`)?.mtime ?? 0;
  const facts = (file: string): EntryFacts => {
    return { path: within(interpreter.sitePath, `${layout.distInfo}/${file}`), mode: 0o644, uid: 0, gid: 0, mtime };
  };
  await install(wheel, facts('INSTALLER'), Buffer.from('rootcellar\n'));
  const own: RecordLine = { path: `${layout.distInfo}/RECORD`, hash: '', size: '' };
  await writer.addFile(facts('RECORD'), Buffer.from(formatRecord([...installed, own])));
}

async function install(wheel: Installation, facts: EntryFacts, content: Uint8Array): Promise<void> {
  addInstalled(wheel, await wheel.writer.addFile(facts, content));
}

function addInstalled({ installed, interpreter }: Installation, { path, digest, size }: FileEntry): void {
  installed.push({ path: recordPath(path, interpreter), hash: recordHash(digest), size: String(size) });
}

/** RECORD tells paths as they look from the folder for modules. */
function recordPath(path: ImagePath, { sitePath }: Interpreter): string {
  return relativePath(parseImagePath(sitePath) ?? '', path);
}

function factsOf({ entry, path }: PlacedFile): Omit<EntryFacts, 'mode'> {
  return { path, uid: 0, gid: 0, mtime: entry.mtime };
}

/** Programs also stand among a wheel's modules, so the archive's execute bits count there too, as they do for pip. */
function modeOf({ entry, isScript }: PlacedFile): number {
  return isScript || ((entry.mode ?? 0) & 0o111) !== 0 ? 0o755 : 0o644;
}

/** `#!python` stands for whichever interpreter the wheel is installed for. Source: PEP 427, "Recommended installer features". */
function withInterpreter(script: Uint8Array, interpreter: string): Uint8Array {
  const [marker] = /^#!pythonw?(?=[ \r\n])/.exec(Buffer.from(script.subarray(0, 16)).toString('latin1')) ?? [];
  if (marker === undefined) return script;
  return Buffer.concat([Buffer.from(`#!${interpreter}`), script.subarray(marker.length)]);
}

async function readInfo(wheel: Installation, file: string): Promise<string> {
  const entry = wheel.layout.files.find(({ name }) => name === `${wheel.layout.distInfo}/${file}`);
  if (entry === undefined) throw invalidArtifact(wheel.archive, `it has no ${file}`);
  return await readText(wheel, entry);
}

async function readText({ zip, archive }: Installation, entry: ZipEntry): Promise<string> {
  if (entry.size > LARGEST_TEXT) throw invalidArtifact(archive, `\`${entry.name}\` is too large`);
  const content = await readZipEntry(zip, entry);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    throw invalidArtifact(archive, `\`${entry.name}\` is not UTF-8`, error);
  }
}
