import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';

/** Members of a tar in their order: text is a file, headers are whatever they say. */
export type ToyMember = readonly [name: string, content: string | Uint8Array | Partial<Omit<Header, 'name'>>];

async function toyTar(members: readonly ToyMember[]): Promise<Buffer> {
  const stream = pack();
  const chunks = collect(stream);
  for (const [name, content] of members) {
    const isContent = typeof content === 'string' || content instanceof Uint8Array;
    const headers = { name, mtime: new Date(1_600_000_000_000), ...(isContent ? {} : content) };
    if (isContent) stream.entry(headers, Buffer.from(content));
    else stream.entry({ type: 'file', ...headers }, Buffer.alloc(0));
  }
  stream.finalize();
  return Buffer.concat(await chunks);
}

async function collect(stream: AsyncIterable<unknown>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return chunks;
}

/** A source distribution, byte for byte the same for the same members. */
export async function toySdist(members: readonly ToyMember[]): Promise<Buffer> {
  return gzipSync(await toyTar(members));
}

export interface ToyProject {
  readonly name: string;
  readonly version: string;
  readonly requires?: readonly string[];
  /** Statements that the backend executes first, in `build_wheel`. */
  readonly hostile?: string;
  /** Statements at the top of the backend's module. */
  readonly atImport?: string;
  /** `Metadata-Version` of its PKG-INFO; undefined: it has none that can be believed. */
  readonly metadata?: string;
  /** Extra files. */
  readonly files?: readonly ToyMember[];
}

/** A project with a build backend of its own, so that building it needs nothing from any index. */
export async function toyProject(project: ToyProject): Promise<Buffer> {
  const { name, version, files = [], metadata } = project;
  const top = `${name.replaceAll('-', '_')}-${version}`;
  const info = metadata === undefined ? 'Metadata-Version: 1.0' : `Metadata-Version: ${metadata}`;
  return await toySdist([
    [`${top}/PKG-INFO`, `${info}\n${metadataOf(project)}`],
    [`${top}/pyproject.toml`, '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["_build"]\n'],
    [`${top}/_build/backend.py`, backendOf(project)],
    ...files.map(([path, content]): ToyMember => [`${top}/${path}`, content]),
  ]);
}

function metadataOf({ name, version, requires = [] }: ToyProject): string {
  return `Name: ${name}\nVersion: ${version}\n${requires.map((one) => `Requires-Dist: ${one}\n`).join('')}`;
}

/** Writes the wheel unsorted, with the time of day in it, as backends do. */
function backendOf(project: ToyProject): string {
  const { name, version, hostile = 'pass', atImport = '' } = project;
  const module = name.replaceAll('-', '_');
  return `
import os, sys, time, zipfile
${atImport}
MODULE, VERSION = ${JSON.stringify(module)}, ${JSON.stringify(version)}
METADATA = ${JSON.stringify(`Metadata-Version: 2.1\n${metadataOf(project)}`)}

def build_wheel(folder, settings=None, metadata=None):
    print('a word on stdout')
${hostile
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
    return write(folder)

def write(folder, module=MODULE, tag='py3-none-any'):
    info = f'{module}-{VERSION}.dist-info'
    file = f'{module}-{VERSION}-{tag}.whl'
    with zipfile.ZipFile(os.path.join(folder, file), 'w', zipfile.ZIP_DEFLATED) as wheel:
        def add(path, text):
            entry = zipfile.ZipInfo(path, time.localtime()[:6])
            entry.external_attr = 0o100600 << 16
            wheel.writestr(entry, text)
        add(f'{module}/__init__.py', f'FROM = "source"\\nVERSION = {VERSION!r}\\n')
        add(f'{info}/METADATA', METADATA.replace(MODULE, module))
        add(f'{info}/WHEEL', f'Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: {tag}\\n')
        add(f'{info}/RECORD', 'junk')
    return file
`;
}
