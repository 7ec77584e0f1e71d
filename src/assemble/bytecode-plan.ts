import { byteOrder } from '../base/byte-order.ts';
import { nameOf, parentOf } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import type { FileEntry, UnpackedArtifact } from './tree.ts';

/** A Python file that can be imported, and where its bytecode goes. */
export interface PythonSource {
  readonly entry: FileEntry;
  readonly bytecode: ImagePath;
}

/** Sources that one process compiles, one after the other. */
export type SourceChunk = readonly PythonSource[];

/** Larger sources are left uncompiled: the parser needs a hundred times their size. */
export const LARGEST_SOURCE: number = 8 * 1024 ** 2;

const CHUNK_FILES = 64;
const CHUNK_BYTES = 4 * 1024 ** 2;

/**
 * The Python files of an artifact that `interpreter` can import, in byte order: below the modules folder, any
 * `site-packages` or `dist-packages`, and the folders of its own standard library. Links are left out: what they
 * lead to is compiled. Bytecode is named as PEP 3147 says.
 */
export function importableSources(artifact: UnpackedArtifact, interpreter: Interpreter): readonly PythonSource[] {
  const tag = cacheTag(interpreter);
  const isImportable = importablePaths(interpreter);
  return artifact.entries
    .flatMap((entry): PythonSource[] => {
      if (entry.kind !== 'file' || !entry.path.endsWith('.py') || !isImportable(entry.path)) return [];
      const name = nameOf(entry.path).slice(0, -'.py'.length);
      return [{ entry, bytecode: `${parentOf(entry.path)}/__pycache__/${name}.${tag}.pyc` }];
    })
    .toSorted((a, b) => byteOrder(a.entry.path, b.entry.path));
}

/**
 * Cuts sources, in their order, into chunks of at most 64 files and 4 MiB. What a process compiled before can change
 * what it makes of the next file (python/cpython#129724), so the chunks are part of the format: they depend on nothing
 * but the artifact, and each is compiled by a process of its own.
 */
export function chunksOf(sources: readonly PythonSource[]): readonly SourceChunk[] {
  const chunks: PythonSource[][] = [];
  let current: PythonSource[] = [];
  let bytes = 0;
  for (const source of sources) {
    if (current.length === CHUNK_FILES || bytes + source.entry.size > CHUNK_BYTES) {
      if (current.length > 0) chunks.push(current);
      current = [];
      bytes = 0;
    }
    current.push(source);
    bytes += source.entry.size;
  }
  return current.length === 0 ? chunks : [...chunks, current];
}

/** Such as `cpython-313`. */
export function cacheTag(interpreter: Interpreter): string {
  return `cpython-${minorVersion(interpreter).replace('.', '')}`;
}

/** Such as `3.13`. */
function minorVersion({ version }: Interpreter): string {
  return version.split('.').slice(0, 2).join('.');
}

function importablePaths(interpreter: Interpreter): (path: ImagePath) => boolean {
  const minor = minorVersion(interpreter);
  const folders = [
    interpreter.sitePath,
    standardLibrary(interpreter),
    '/usr/lib/python3',
    `/usr/lib/python${minor}`,
    `/usr/local/lib/python${minor}`,
  ];
  const prefixes = folders.map((folder) => `${folder.replace(/^\/+|\/+$/g, '')}/`);
  return (path) => prefixes.some((prefix) => path.startsWith(prefix)) || /(?:^|\/)(?:site|dist)-packages\//.test(path);
}
