import { parse } from 'smol-toml';
import type { SourceTree } from './source-tree.ts';
import { parseHeaders } from './wheel-metadata.ts';

/** What a project says about how it is built. */
export interface BuildSystem {
  /** Requirements in PEP 508 form, as written. */
  readonly requires: readonly string[];
  /** Module and object, such as `setuptools.build_meta`. */
  readonly backend: string;
  /** Folders of the project in which the backend lies. */
  readonly backendPath: readonly string[];
}

/** Where nothing is said. Source: PEP 517, "Source trees". */
const LEGACY: BuildSystem = {
  requires: ['setuptools>=40.8.0'],
  backend: 'setuptools.build_meta:__legacy__',
  backendPath: [],
};

const LARGEST_TEXT = 4 * 1024 ** 2;
const MOST_REQUIREMENTS = 200;

/**
 * Reads `[build-system]` of the project's pyproject.toml. Throws a plain Error when it is malformed.
 * Source: PEP 517, PEP 518.
 */
export function buildSystem(tree: SourceTree, folder: string): BuildSystem {
  const text = textOf(tree, folder, 'pyproject.toml');
  if (text === undefined) {
    if (tree.entries.has(join(folder, 'setup.py')) || tree.entries.has(join(folder, 'setup.cfg'))) return LEGACY;
    throw new Error('it has neither a pyproject.toml nor a setup.py');
  }
  const table = recordOf(parseToml(text)['build-system']);
  if (Object.keys(table).length === 0) return LEGACY;
  const requires = textsOf(table['requires']);
  const backend = table['build-backend'] ?? LEGACY.backend;
  const backendPath = textsOf(table['backend-path'] ?? []);
  if (requires === undefined || backendPath === undefined || typeof backend !== 'string') {
    throw new Error('the `[build-system]` of its pyproject.toml is malformed');
  }
  if (!/^[\p{ID_Continue}.]{1,200}(?::[\p{ID_Continue}.]{1,200})?$/u.test(backend)) {
    throw new Error(`its build backend ${JSON.stringify(backend.slice(0, 200))} is no name of an object`);
  }
  if (backendPath.some((path) => path.startsWith('/') || path.split('/').includes('..'))) {
    throw new Error('its `backend-path` leaves the project');
  }
  return { requires, backend, backendPath };
}

/**
 * The metadata that a source distribution vouches for, in the form of a wheel's METADATA; undefined where they are found out
 * only by building. Source: "Core metadata", Dynamic; PEP 643.
 */
export function staticMetadata(tree: SourceTree): string | undefined {
  const text = textOf(tree, '', 'PKG-INFO');
  if (text === undefined) return undefined;
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  const version = parseHeaders(head).get('metadata-version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > 2 || (major === 2 && minor >= 2);
  const isDynamic = /^Dynamic:\s*(?:Requires-Dist|Requires-Python|Provides-Extra|Version|Name)\s*$/im.test(head);
  return isNew && !isDynamic ? text : undefined;
}

function textOf({ entries }: SourceTree, folder: string, name: string): string | undefined {
  const entry = entries.get(join(folder, name));
  if (entry?.kind !== 'file') return undefined;
  if (entry.content.length > LARGEST_TEXT) throw new Error(`its ${name} is too large`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(entry.content);
  } catch {
    throw new Error(`its ${name} is not UTF-8`);
  }
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function parseToml(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(parse(text));
  } catch {
    throw new Error('its pyproject.toml is no TOML');
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_REQUIREMENTS) return undefined;
  const texts = value.filter((item: unknown): item is string => typeof item === 'string' && item.length <= 1000);
  return texts.length === value.length ? texts : undefined;
}
