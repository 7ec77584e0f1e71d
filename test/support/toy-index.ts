import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { startFileServer, type FileServer } from './file-server.ts';

/** A wheel of a few bytes. */
export interface ToyWheel {
  readonly name: string;
  readonly version: string;
  /** `py3-none-any` when not given. */
  readonly tag?: string;
  /** `Requires-Dist` lines. */
  readonly requires?: readonly string[];
  readonly extras?: readonly string[];
  readonly requiresPython?: string;
  /** Content by path in the wheel; a module that holds the version when not given. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Text of `entry_points.txt`. */
  readonly entryPoints?: string;
  readonly yanked?: boolean;
  /** RFC 3339 time; undefined: the index does not say. */
  readonly uploaded?: string;
}

export interface ToyIndexOptions {
  readonly wheels: readonly ToyWheel[];
  /** File names of source distributions that are listed (their content is junk), such as `x-1.0.tar.gz`. */
  readonly sdists?: readonly string[];
  /** Source distributions, by file name. */
  readonly sources?: Readonly<Record<string, Uint8Array>>;
  /** `html`: the index knows no JSON and answers HTML, whatever is asked. */
  readonly format?: 'json' | 'html';
  /** Leave `size` out, as HTML always does. */
  readonly sizes?: boolean;
  /** File names whose page shows a wrong sha256. */
  readonly wrongHashes?: readonly string[];
  /** Demand these credentials of every request, `user:password`. */
  readonly credentials?: string;
  /** Metadata beside the wheels, as PEP 658 has it. */
  readonly metadata?: boolean;
  /** Serve HTTPS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/**
 * A package index (simple API, PEP 503 and PEP 691) over HTTP on loopback: pages at `/simple/NAME/`, wheels at
 * `/files/FILE`. Use `server.faults` to break one path: truncated, stalled, dropped, altered, an error status.
 */
export interface ToyIndex extends AsyncDisposable {
  /** Of the simple API, without a slash at the end, for `index_url`. */
  readonly url: string;
  readonly server: FileServer;
  /** Content by file name. */
  readonly wheels: ReadonlyMap<string, Uint8Array>;
  /** Adds wheels (a new release) while the index runs. */
  readonly publish: (wheels: readonly ToyWheel[]) => void;
  readonly close: () => Promise<void>;
}

/** Close it (or hold it by `await using`) when done. */
export async function startToyIndex(options: ToyIndexOptions): Promise<ToyIndex> {
  const server = await startFileServer(options.tls);
  const rows: Row[] = [];
  const wheels = new Map<string, Uint8Array>();
  const publish = (added: readonly ToyWheel[]): void => {
    for (const wheel of added) {
      const file = wheelFileName(wheel);
      const content = toyWheel(wheel);
      wheels.set(file, content);
      rows.push({ ...wheel, file, content });
      server.files.set(`/files/${file}`, { content });
      if (options.metadata === true)
        server.files.set(`/files/${file}.metadata`, { content: Buffer.from(metadataOf(wheel)) });
    }
  };
  publish(options.wheels);
  for (const file of options.sdists ?? []) {
    const [, name = '', version = ''] = /^(.+)-([^-]+)\.tar\.gz$/.exec(file) ?? [];
    rows.push({ name, version, file, content: Buffer.from('junk') });
  }
  for (const [file, content] of Object.entries(options.sources ?? {})) {
    const [, name = '', version = ''] = /^(.+)-([^-]+)\.tar\.gz$/.exec(file) ?? [];
    rows.push({ name, version, file, content });
    server.files.set(`/files/${file}`, { content });
  }
  server.answer = (path, headers) => {
    if (options.credentials !== undefined && !authorised(headers.authorization, options.credentials)) {
      return { content: Buffer.from('<html>who are you?</html>'), type: 'text/html', status: 401 };
    }
    const [, project] = /^\/simple\/([^/]+)\/$/.exec(path) ?? [];
    const mine = rows.filter((row) => normalised(row.name) === project);
    if (project === undefined || mine.length === 0) return undefined;
    const json = options.format !== 'html' && (headers.accept ?? '').includes('application/vnd.pypi.simple.v1+json');
    return json ? jsonPage(project, mine, options) : htmlPage(mine, options);
  };
  return {
    url: `${server.url}/simple`,
    server,
    wheels,
    publish,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

interface Row extends ToyWheel {
  readonly file: string;
  readonly content: Uint8Array;
}

function authorised(header: string | undefined, credentials: string): boolean {
  return header === `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function jsonPage(name: string, rows: readonly Row[], options: ToyIndexOptions): { content: Uint8Array; type: string } {
  const files = rows.map((row) => ({
    filename: row.file,
    url: `../../files/${row.file}`,
    hashes: { sha256: listedDigest(row, options) },
    ...(options.sizes === false ? {} : { size: row.content.length }),
    ...(row.uploaded === undefined ? {} : { 'upload-time': row.uploaded }),
    ...(row.requiresPython === undefined ? {} : { 'requires-python': row.requiresPython }),
    yanked: row.yanked ?? false,
    ...(options.metadata === true && row.file.endsWith('.whl') ? { 'core-metadata': true } : {}),
  }));
  const page = { meta: { 'api-version': '1.1' }, name, versions: [...new Set(rows.map((row) => row.version))], files };
  return { content: Buffer.from(JSON.stringify(page)), type: 'application/vnd.pypi.simple.v1+json' };
}

function htmlPage(rows: readonly Row[], options: ToyIndexOptions): { content: Uint8Array; type: string } {
  const links = rows.map((row) => {
    const python =
      row.requiresPython === undefined ? '' : ` data-requires-python="${row.requiresPython.replaceAll('>', '&gt;')}"`;
    const yanked = row.yanked === true ? ' data-yanked=""' : '';
    const uploaded = row.uploaded === undefined ? '' : ` data-upload-time="${row.uploaded}"`;
    const href = `../../files/${row.file}#sha256=${listedDigest(row, options)}`;
    return `<a href="${href}"${python}${yanked}${uploaded}>${row.file}</a><br/>\n`;
  });
  return {
    content: Buffer.from(`<!DOCTYPE html>\n<html><body>\n${links.join('')}</body></html>\n`),
    type: 'text/html',
  };
}

function listedDigest(row: Row, options: ToyIndexOptions): string {
  if (options.wrongHashes?.includes(row.file) === true) return '0'.repeat(64);
  return createHash('sha256').update(row.content).digest('hex');
}

function wheelFileName(wheel: ToyWheel): string {
  return `${wheel.name.replaceAll(/[-_.]+/g, '_')}-${wheel.version}-${wheel.tag ?? 'py3-none-any'}.whl`;
}

function metadataOf(wheel: ToyWheel): string {
  return [
    `Metadata-Version: 2.1\nName: ${wheel.name}\nVersion: ${wheel.version}\n`,
    ...(wheel.extras ?? []).map((extra) => `Provides-Extra: ${extra}\n`),
    wheel.requiresPython === undefined ? '' : `Requires-Python: ${wheel.requiresPython}\n`,
    ...(wheel.requires ?? []).map((requirement) => `Requires-Dist: ${requirement}\n`),
  ].join('');
}

/** The bytes of a well-formed wheel: METADATA, WHEEL, RECORD with right digests. Same input, same bytes. */
function toyWheel(wheel: ToyWheel): Uint8Array {
  const module = wheel.name.replaceAll(/[-_.]+/g, '_');
  const info = `${module}-${wheel.version}.dist-info`;
  const [python = 'py3', abi = 'none', platform = 'any'] = (wheel.tag ?? 'py3-none-any').split('-').slice(-3);
  const tags = python
    .split('.')
    .flatMap((p) => abi.split('.').flatMap((a) => platform.split('.').map((q) => `Tag: ${p}-${a}-${q}\n`)));
  const metadata = metadataOf(wheel);
  const files = new Map<string, Uint8Array>([
    ...Object.entries(wheel.files ?? { [`${module}/__init__.py`]: `__version__ = '${wheel.version}'\n` }).map(
      ([path, content]): [string, Uint8Array] => [path, Buffer.from(content)],
    ),
    [`${info}/METADATA`, Buffer.from(metadata)],
    [
      `${info}/WHEEL`,
      Buffer.from(
        `Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: ${String(platform === 'any')}\n${tags.join('')}`,
      ),
    ],
  ]);
  if (wheel.entryPoints !== undefined) files.set(`${info}/entry_points.txt`, Buffer.from(wheel.entryPoints));
  const record = [...files].map(([path, content]) => {
    const digest = createHash('sha256').update(content).digest('base64url');
    return `${path},sha256=${digest},${content.length}\n`;
  });
  files.set(`${info}/RECORD`, Buffer.from(`${record.join('')}${info}/RECORD,,\n`));
  return storedZip(files);
}

/** A zip file of stored (uncompressed) entries, dated 1980-01-01. Source: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16. */
function storedZip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of files) {
    const name = Buffer.from(path);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, content]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), common, rest, name]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.size, 8);
  end.writeUInt16LE(files.size, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}
