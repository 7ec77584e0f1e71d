import { byteOrder } from '../base/byte-order.ts';
import type { DifyConfig, DifySetting, ImportNote } from './dify-config.ts';
import { libraryPathFault } from './host-schema.ts';
import { quotedWord } from './quoted-value.ts';

/** The part of a recipe that says where files come from. */
export interface ImportedBase {
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly notes: readonly ImportNote[];
}

/** Files of the system that dify-sandbox copies when no list says otherwise, without those that belong to one host. */
const SYSTEM_PATHS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/nsswitch.conf',
  '/etc/localtime',
  '/usr/share/zoneinfo',
  '/etc/timezone',
];

export interface HostPlaces {
  readonly pythonPath: string;
  readonly isThere: (path: string) => boolean;
  readonly paths?: readonly string[];
}

export interface DebianPlaces {
  readonly suite: string;
  readonly packages?: readonly string[];
}

/** A base of this machine's files: the paths as they are, but for what belongs to one host alone. */
export function hostParts(config: DifyConfig, machine: HostPlaces): ImportedBase {
  const { listed, notes } = listedPaths(config);
  const wanted = listed.filter((entry) => entry.kind !== 'of one host').map(({ path }) => path);
  const explicit = config.get('python_lib_path');
  const system = config.has('system_lib_requirements') ? [] : SYSTEM_PATHS;
  const hasLibrary = wanted.some((path) => /\/python\d+\.\d+$/.test(path) && machine.isThere(path));
  const paths = explicit === undefined ? ['auto', ...wanted, ...system] : hasLibrary ? wanted : ['auto', ...wanted];
  if (explicit !== undefined && !hasLibrary) {
    const text = 'names no standard library that is on this machine, so the interpreter is asked for its own (`auto`)';
    notes.push({ setting: explicit, text });
  }
  return {
    recipe: {
      base: {
        host: { python_path: machine.pythonPath, python_lib_path: [...new Set([...paths, ...(machine.paths ?? [])])] },
      },
    },
    notes: [...notes, ...listed.filter(({ kind }) => kind === 'of one host').map(hostNote)],
  };
}

/** A base of Debian packages that bring what the paths stand for. */
export function debianParts(config: DifyConfig, { suite, packages: more = [] }: DebianPlaces): ImportedBase {
  const { listed, notes } = listedPaths(config);
  const packages = new Set(['python3', 'ca-certificates', 'tzdata', ...more]);
  const libraries = listed.flatMap(({ kind, path }) => (kind === 'library' ? [nameOf(path)] : []));
  return {
    recipe: {
      base: { debian: { suite, packages: [...packages].toSorted(byteOrder) } },
      ...(libraries.length > 0 && { shared_objects: [...new Set(libraries)].toSorted(byteOrder) }),
    },
    notes: [...notes, ...pythonNotes(config), ...listed.flatMap(debianNotes)],
  };
}

type PathKind = 'python' | 'libraries' | 'library' | 'system' | 'of one host' | 'other';

interface ListedPath {
  readonly path: string;
  readonly kind: PathKind;
  readonly setting: DifySetting;
}

/** What `python_lib_path` and `system_lib_requirements` name. A path that is not absolute says nothing on another machine. */
function listedPaths(config: DifyConfig): { readonly listed: readonly ListedPath[]; readonly notes: ImportNote[] } {
  const notes: ImportNote[] = [];
  const listed = ['python_lib_path', 'system_lib_requirements'].flatMap((key): ListedPath[] => {
    const setting = config.get(key);
    if (setting === undefined) return [];
    const values = typeof setting.value === 'string' ? [setting.value] : setting.value;
    return values.flatMap((value): ListedPath[] => {
      const path = value.replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
      const isPath = path.startsWith('/') && path !== '/' && !path.split('/').includes('..');
      const fault = isPath ? libraryPathFault(path) : 'is no absolute path of a file or folder';
      if (fault === undefined) return [{ path, kind: kindOf(path), setting }];
      notes.push({ setting, text: `${quotedWord(value)} ${fault}` });
      return [];
    });
  });
  return { listed, notes };
}

const KINDS: readonly (readonly [PathKind, RegExp])[] = [
  ['of one host', /^\/(?:etc\/(?:hosts|hostname|resolv\.conf|machine-id)$|(?:var\/)?run\/|proc\/|sys\/|dev\/)/],
  ['python', /\/python3?(?:\.\d+)?(?:\/|$)|\/opt\/python\b/],
  ['libraries', /^(?:\/usr)?(?:\/local)?\/lib(?:32|64|x32)?(?:\/[a-z0-9_]+-linux-gnu[a-z0-9]*)?$/],
  // Where a loader looks by itself: only from there does a name alone say which file it is.
  [
    'library',
    /^(?:\/usr)?(?:\/local)?\/lib(?:32|64|x32)?\/(?:[a-z0-9_]+-linux-gnu[a-z0-9]*\/)?[^/]+\.so(?:\.[0-9.]+)?$/,
  ],
  ['system', /^\/etc\/(?:ssl\/certs|nsswitch\.conf|localtime|timezone)|^\/usr\/share\/(?:zoneinfo|ca-certificates)/],
];

function kindOf(path: string): PathKind {
  return KINDS.find(([, pattern]) => pattern.test(path))?.[0] ?? 'other';
}

function hostNote({ path, setting }: ListedPath): ImportNote {
  return { setting, text: `\`${path}\` belongs to one host and is never part of an image` };
}

function debianNotes(entry: ListedPath): readonly ImportNote[] {
  if (entry.kind === 'of one host') return [hostNote(entry)];
  if (entry.kind !== 'other') return [];
  const text = `\`${entry.path}\` is not carried over: name the Debian package that has it, or import with \`--base host\``;
  return [{ setting: entry.setting, text }];
}

function pythonNotes(config: DifyConfig): readonly ImportNote[] {
  const setting = config.get('python_path');
  if (setting === undefined) return [];
  return [{ setting, text: 'became the Python of Debian: `--base host` takes the one of a machine that has it' }];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
