import { digestOf } from '../base/digest.ts';
import { storedZip } from '../base/stored-zip.ts';

/** A release for which a resolver gets a stand-in, because only a source of it exists. */
export interface StubRelease {
  /** Normalised. */
  readonly name: string;
  readonly version: string;
  /** Of the real wheel or source; undefined: nothing is known but what follows. */
  readonly metadata: string | undefined;
  readonly requiresPython: string | undefined;
}

export interface StubWheel {
  readonly file: string;
  readonly content: Uint8Array;
}

/** An installable wheel without content, for every Python, of which resolvers read the metadata. */
export function stubWheel(release: StubRelease): StubWheel {
  const name = release.name.replaceAll('-', '_');
  const version = release.version.replaceAll('-', '_');
  const info = `${name}-${version}.dist-info`;
  const files = new Map([
    [`${info}/METADATA`, metadataOf(release)],
    [`${info}/WHEEL`, 'Wheel-Version: 1.0\nGenerator: rootcellar\nRoot-Is-Purelib: true\nTag: py3-none-any\n'],
  ]);
  const record = [...files].map(([path, text]) => {
    const hash = Buffer.from(digestOf(text).slice('sha256:'.length), 'hex').toString('base64url');
    return `${path},sha256=${hash},${Buffer.byteLength(text)}\n`;
  });
  files.set(`${info}/RECORD`, `${record.join('')}${info}/RECORD,,\n`);
  const entries = [...files].map(([path, text]) => ({ path, content: Buffer.from(text, 'utf8'), isExecutable: false }));
  return { file: `${name}-${version}-py3-none-any.whl`, content: storedZip(entries) };
}

/** The headers alone: a description may hold anything. */
function metadataOf({ name, version, metadata, requiresPython }: StubRelease): string {
  if (metadata !== undefined) {
    const [head = ''] = metadata.replaceAll('\r\n', '\n').split('\n\n', 1);
    const kept = head.split('\n').filter((line) => /^(?:Requires-Dist|Requires-Python|Provides-Extra):/i.test(line));
    return [`Metadata-Version: 2.1`, `Name: ${name}`, `Version: ${version}`, ...kept, ''].join('\n');
  }
  const python = requiresPython === undefined ? '' : `Requires-Python: ${requiresPython.replaceAll(/[\r\n]/g, ' ')}\n`;
  return `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n${python}`;
}

/** What of a METADATA decides a resolution, for comparing two. */
export function dependencyText(metadata: string): string {
  return metadataOf({ name: '', version: '', metadata, requiresPython: undefined });
}
