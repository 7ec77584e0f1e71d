import { parseImagePath, type ImagePath } from '../base/image-path.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import { isCompiledPython } from './deb-reader.ts';
import { mergedPath } from './usr-merge.ts';
import type { ZipEntry } from './zip-directory.ts';

/** A file of a wheel and where it goes. */
export interface PlacedFile {
  readonly entry: ZipEntry;
  readonly path: ImagePath;
  readonly isScript: boolean;
}

/** The folders of a wheel, found by its own naming. */
export interface WheelLayout {
  /** Such as `numpy-2.3.1.dist-info`. */
  readonly distInfo: string;
  readonly files: readonly ZipEntry[];
}

/** Finds the one `.dist-info` folder. Throws a plain Error when there is none, or more than one. */
export function wheelLayout(entries: readonly ZipEntry[]): WheelLayout {
  const files = entries.filter((entry) => !entry.name.endsWith('/'));
  const folders = new Set(files.flatMap(({ name }) => /^([^/]+\.dist-info)\//.exec(name)?.[1] ?? []));
  const [distInfo, ...more] = folders;
  if (distInfo === undefined || more.length > 0) throw new Error('it has not just one `.dist-info` folder');
  return { distInfo, files };
}

/**
 * Where the files of a wheel go. Foreign bytecode, RECORD (it is written anew) and signatures of RECORD go nowhere.
 * Throws a plain Error on a `.data` folder that is not one of the scheme's.
 * Source: "Binary distribution format", Installing a wheel; sysconfig's `posix_prefix` scheme.
 */
export function placeFiles(layout: WheelLayout, name: string, interpreter: Interpreter): readonly PlacedFile[] {
  const data = `${layout.distInfo.slice(0, -'.dist-info'.length)}.data/`;
  const scheme = schemeOf(name, interpreter);
  return layout.files.flatMap((entry): PlacedFile[] => {
    if (isCompiledPython(entry.name) || isReplaced(entry.name, layout.distInfo)) return [];
    if (!entry.name.startsWith(data))
      return [{ entry, path: within(interpreter.sitePath, entry.name), isScript: false }];
    const [, kind, rest] = /^([^/]*)\/(.+)$/.exec(entry.name.slice(data.length)) ?? [];
    const root = scheme.get(kind ?? '');
    if (root === undefined || rest === undefined) throw new Error(`\`${entry.name}\` belongs to no known scheme`);
    return [{ entry, path: within(root, rest), isScript: kind === 'scripts' }];
  });
}

/** Folder for programs. */
export function scriptsFolder(interpreter: Interpreter): string {
  return `${interpreter.prefix}/bin`;
}

/** A path of an image; also a name below one of the interpreter's folders. */
export function within(root: string, name: string): ImagePath {
  const path = parseImagePath(`${root}/${name}`);
  if (path === undefined) throw new Error(`\`${name}\` is not acceptable as a path`);
  return mergedPath(path);
}

function schemeOf(name: string, { version, prefix, sitePath }: Interpreter): ReadonlyMap<string, string> {
  const python = /^\d+\.\d+/.exec(version)?.[0] ?? '';
  return new Map([
    ['purelib', sitePath],
    ['platlib', sitePath],
    ['scripts', `${prefix}/bin`],
    ['headers', `${prefix}/include/python${python}/${name}`],
    ['data', prefix],
  ]);
}

function isReplaced(name: string, distInfo: string): boolean {
  return ['RECORD', 'RECORD.jws', 'RECORD.p7s', 'INSTALLER'].some((file) => name === `${distInfo}/${file}`);
}
