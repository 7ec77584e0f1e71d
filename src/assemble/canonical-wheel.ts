import { digestOf } from '../base/digest.ts';
import { storedZip, type StoredFile } from '../base/stored-zip.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import { parseWheelName } from '../resolve/wheel-name.ts';
import { blaming, invalidArtifact, memorySource, type ByteSource } from './byte-source.ts';
import { isCompiledPython } from './deb-reader.ts';
import { wheelLayout } from './wheel-layout.ts';
import { normalizedVersion, parseHeaders } from './wheel-metadata.ts';
import { formatRecord, recordHash } from './wheel-record.ts';
import { openZip, readZipEntry } from './zip-reader.ts';

/** What a build backend gave. */
export interface RawWheel {
  /** File name, as the backend says. */
  readonly file: string;
  readonly content: Uint8Array;
  /** Normalised name of the project that was built. */
  readonly name: string;
  /** Undefined: whatever it says. */
  readonly version: string | undefined;
  /** Tags that the image's interpreter accepts. */
  readonly tags: ReadonlySet<string>;
}

export interface CanonicalWheel {
  readonly file: string;
  /** As its METADATA spells it. */
  readonly version: string;
  readonly content: Uint8Array;
  /** The text of METADATA. */
  readonly metadata: string;
}

/** The most that a built wheel may unpack to: it is kept in memory. */
const LARGEST_WHEEL = 1024 ** 3;

/**
 * Rewrites a wheel that a backend made, so that equal files give equal bytes: sorted, without times, modes of two kinds,
 * RECORD anew, without bytecode. The backend is somebody's: E_ARTIFACT_INVALID for what is malformed or hostile, for another
 * project or release than was to be built, and for tags that do not fit the image or its own name.
 */
export async function canonicalWheel(raw: RawWheel): Promise<CanonicalWheel> {
  const archive = `wheel of \`${raw.name}\``;
  const named = parseWheelName(raw.file);
  if (named === undefined || !/^[A-Za-z0-9][A-Za-z0-9._+!-]{0,200}\.whl$/.test(raw.file)) {
    throw invalidArtifact(archive, `${JSON.stringify(raw.file.slice(0, 200))} is not the name of a wheel`);
  }
  const zip = await openZip(memorySource(raw.content), archive);
  if (zip.entries.reduce((sum, { size }) => sum + size, 0) > LARGEST_WHEEL) {
    throw invalidArtifact(archive, 'it unpacks to far too much');
  }
  const layout = blaming(archive, () => wheelLayout(zip.entries));
  const record = `${layout.distInfo}/RECORD`;
  const files: StoredFile[] = [];
  for (const entry of layout.files) {
    if (isCompiledPython(entry.name) || entry.name === record || entry.name.startsWith(`${record}.`)) continue;
    const content = await readZipEntry(zip, entry);
    files.push({ path: entry.name, content, isExecutable: ((entry.mode ?? 0) & 0o111) !== 0 });
  }
  const info = (name: string): string => infoText(files, `${layout.distInfo}/${name}`, archive);
  const metadata = info('METADATA');
  const version = blaming(archive, () => checkRelease(raw, { file: named, metadata, wheel: info('WHEEL') }));
  const content = blaming(archive, () => storedZip([...files, recordFile(files, record)]));
  return { file: raw.file, version, content, metadata };
}

/** The text of METADATA of a wheel that `canonicalWheel` made. */
export async function wheelMetadata(source: ByteSource, archive: string): Promise<string> {
  const zip = await openZip(source, archive);
  const entry = zip.entries.find(({ name }) => /^[^/]+\.dist-info\/METADATA$/.test(name));
  if (entry === undefined) throw invalidArtifact(archive, 'it has no METADATA');
  return Buffer.from(await readZipEntry(zip, entry)).toString('utf8');
}

function recordFile(files: readonly StoredFile[], path: string): StoredFile {
  const lines = files.map((file) => {
    return { path: file.path, hash: recordHash(digestOf(file.content)), size: String(file.content.length) };
  });
  const text = formatRecord([...lines, { path, hash: '', size: '' }]);
  return { path, content: Buffer.from(text, 'utf8'), isExecutable: false };
}

function infoText(files: readonly StoredFile[], path: string, archive: string): string {
  const file = files.find((one) => one.path === path);
  if (file === undefined) throw invalidArtifact(archive, `it has no ${path.slice(path.lastIndexOf('/') + 1)}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file.content);
  } catch (error) {
    throw invalidArtifact(archive, `\`${path}\` is not UTF-8`, error);
  }
}

interface Claims {
  readonly file: { readonly name: string; readonly version: string; readonly tags: readonly string[] };
  readonly metadata: string;
  readonly wheel: string;
}

/** Returns the version. */
function checkRelease(raw: RawWheel, { file, metadata, wheel }: Claims): string {
  const headers = parseHeaders(metadata);
  const [name, version] = [headers.get('name') ?? '', headers.get('version') ?? ''];
  if (!/^[0-9A-Za-z.+!_-]{1,128}$/.test(version)) throw new Error('its METADATA has no acceptable version');
  const wanted = raw.version === undefined ? version : raw.version;
  const isSame =
    [name, file.name].every((one) => normalName(one) === raw.name) &&
    [version, file.version].every((one) => normalizedVersion(one) === normalizedVersion(wanted));
  if (!isSame) {
    throw new Error(
      `it is \`${name} ${version}\` in \`${raw.file}\`, not \`${raw.name} ${wanted}\` that was to be built`,
    );
  }
  if (!/^1\.\d+$/.test(parseHeaders(wheel).get('wheel-version') ?? '')) throw new Error('its Wheel-Version is not 1');
  const told = [...wheel.matchAll(/^Tag:[ \t]*(\S+)[ \t]*\r?$/gm)].flatMap(([, tag = '']) => tag);
  if (told.length !== file.tags.length || told.some((tag) => !file.tags.includes(tag))) {
    throw new Error('its name has other tags than its WHEEL file');
  }
  if (!file.tags.some((tag) => raw.tags.has(tag))) {
    throw new Error(`its tags (${file.tags.slice(0, 3).join(', ')}) do not fit the image's interpreter`);
  }
  return version;
}
