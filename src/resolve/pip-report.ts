import { digestFromHex } from '../base/digest.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import type { PickedWheel } from './python-resolution.ts';

export interface PipReport {
  readonly wheels: readonly PickedWheel[];
  /** What markers were evaluated with, as far as it is said. */
  readonly environment: { readonly machine: string | undefined; readonly pythonVersion: string | undefined };
}

/** Reads what `pip install --report -` prints. Undefined when it is no such report. Source: pip's documentation, "Installation Report". */
export function parsePipReport(text: string): PipReport | undefined {
  const { install, environment } = recordOf(parseJson(text));
  if (!Array.isArray(install)) return undefined;
  const wheels = install.map(readItem);
  if (!wheels.every((wheel) => wheel !== undefined)) return undefined;
  const { platform_machine: machine, python_full_version: version } = recordOf(environment);
  return { wheels, environment: { machine: textOf(machine), pythonVersion: textOf(version) } };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readItem(value: unknown): PickedWheel | undefined {
  const { metadata, download_info: download } = recordOf(value);
  const { name, version } = recordOf(metadata);
  const { url, archive_info: archive } = recordOf(download);
  const { hashes } = recordOf(archive);
  const { sha256 } = recordOf(hashes);
  if (typeof name !== 'string' || typeof version !== 'string' || typeof url !== 'string') return undefined;
  const digest = typeof sha256 === 'string' ? digestFromHex(sha256) : undefined;
  if (!URL.canParse(url)) return undefined;
  const { pathname } = new URL(url);
  const file = decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1));
  return { name: normalName(name), version, file, digest };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
