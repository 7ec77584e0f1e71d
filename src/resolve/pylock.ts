import { parse } from 'smol-toml';
import { digestFromHex, type Digest } from '../base/digest.ts';
import { normalName } from '../recipe/requirement-parts.ts';

/** One package of a pylock.toml, with the wheels that it lists. */
export interface PylockPackage {
  /** Normalised. */
  readonly name: string;
  readonly version: string;
  readonly wheels: readonly PylockWheel[];
}

export interface PylockWheel {
  readonly file: string;
  readonly digest: Digest | undefined;
}

/** Reads what uv writes. Undefined when it is no pylock.toml with versions. Source: PEP 751. */
export function parsePylock(text: string): readonly PylockPackage[] | undefined {
  const { 'lock-version': version, packages = [] } = parseToml(text);
  if (version === undefined || !Array.isArray(packages)) return undefined;
  const read = packages.map((item: unknown) => readPackage(item));
  return read.every((item) => item !== undefined) ? read : undefined;
}

/** The least pylock.toml that uv takes as a list of versions to prefer. */
export function preferencesPylock(versions: ReadonlyMap<string, string>): string {
  const packages = [...versions].map(
    ([name, version]) => `\n[[packages]]\nname = ${JSON.stringify(name)}\nversion = ${JSON.stringify(version)}\n`,
  );
  return `lock-version = "1.0"\ncreated-by = "rootcellar"\n${packages.join('')}`;
}

function readPackage(value: unknown): PylockPackage | undefined {
  const { name, version, wheels } = recordOf(value);
  if (typeof name !== 'string' || typeof version !== 'string') return undefined;
  return { name: normalName(name), version, wheels: (listOf(wheels) ?? []).flatMap((wheel) => readWheel(wheel) ?? []) };
}

function readWheel(value: unknown): PylockWheel | undefined {
  const { name, url, path, hashes } = recordOf(value);
  const address = [name, url, path].find((text) => typeof text === 'string');
  if (typeof address !== 'string') return undefined;
  const file = decodeURIComponent(address.slice(address.lastIndexOf('/') + 1).replace(/[?#].*$/, ''));
  const { sha256 } = recordOf(hashes);
  return { file, digest: typeof sha256 === 'string' ? digestFromHex(sha256) : undefined };
}

function parseToml(text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
