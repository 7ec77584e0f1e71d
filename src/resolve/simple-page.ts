import { digestFromHex, type Digest } from '../base/digest.ts';
import type { WheelOrigin } from './resolution.ts';

/** One file of a project in a package index. */
export interface IndexFile {
  readonly file: string;
  readonly url: string;
  readonly digest: Digest | undefined;
  /** Bytes; undefined where the index does not say. */
  readonly size: number | undefined;
  /** Seconds since 1970; undefined where the index does not say. */
  readonly uploaded: number | undefined;
  readonly yanked: boolean;
  readonly requiresPython: string | undefined;
  /** Whether its metadata lies beside it, at its address and `.metadata`. Source: PEP 658 and PEP 714. */
  readonly hasMetadata: boolean;
  /** Where it was found, when that is no index: as in `WheelArtifact`. */
  readonly from?: WheelOrigin | undefined;
}

/**
 * Reads a project's page in JSON. Entries that are malformed are left out; undefined when the whole is.
 * Source: PEP 691 and PEP 700. `base` is the address that the page was got from.
 */
export function parseSimpleJson(text: string, base: string): readonly IndexFile[] | undefined {
  const page = parseJson(text);
  if (!isRecord(page) || !Array.isArray(page['files'])) return undefined;
  return page['files'].flatMap((entry: unknown) => {
    if (!isRecord(entry)) return [];
    const file = stringOf(entry['filename']);
    const url = absoluteUrl(stringOf(entry['url']) ?? '', base);
    if (file === undefined || url === undefined || !isFileName(file)) return [];
    const hashes = isRecord(entry['hashes']) ? entry['hashes'] : {};
    const size = entry['size'];
    return [
      {
        file,
        url,
        digest: digestFromHex(stringOf(hashes['sha256']) ?? ''),
        size: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined,
        uploaded: secondsOf(stringOf(entry['upload-time'])),
        yanked: entry['yanked'] !== undefined && entry['yanked'] !== false,
        requiresPython: stringOf(entry['requires-python']),
        hasMetadata: isGiven(entry['core-metadata'] ?? entry['dist-info-metadata']),
      },
    ];
  });
}

/** Reads a project's page in HTML. Source: PEP 503, PEP 592, PEP 658; `data-upload-time` is a custom of some indexes. */
export function parseSimpleHtml(html: string, base: string): readonly IndexFile[] {
  const [, href] = /<base\s[^<>]*?href\s*=\s*["']([^"'>]*)["']/i.exec(html) ?? [];
  const root = absoluteUrl(unescapeHtml(href ?? ''), base) ?? base;
  return [...html.matchAll(/<a\s([^<>]*)>/gi)].flatMap(([, text = '']) => {
    const attributes = attributesOf(text);
    const url = absoluteUrl(attributes.get('href') ?? '', root);
    if (url === undefined) return [];
    const { hash, pathname } = new URL(url);
    const file = decodeName(pathname.slice(pathname.lastIndexOf('/') + 1));
    if (file === undefined || !isFileName(file)) return [];
    return [
      {
        file,
        url: url.slice(0, url.length - hash.length),
        digest: digestFromHex(/^#sha256=([0-9a-f]{64})\b/i.exec(hash)?.[1] ?? ''),
        size: undefined,
        uploaded: secondsOf(attributes.get('data-upload-time')),
        yanked: attributes.has('data-yanked'),
        requiresPython: attributes.get('data-requires-python'),
        hasMetadata: attributes.has('data-core-metadata') || attributes.has('data-dist-info-metadata'),
      },
    ];
  });
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false && value !== null;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const pairs = [...text.matchAll(/([a-z][a-z-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gi)];
  return new Map(pairs.map(([, name = '', a, b, c]) => [name.toLowerCase(), unescapeHtml(a ?? b ?? c ?? '')]));
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeHtml(text: string): string {
  return text.replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,5});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function decodeName(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Only `http:`, `https:` and `file:`; undefined for anything else. */
function absoluteUrl(url: string, base: string): string | undefined {
  if (!URL.canParse(url, base)) return undefined;
  const { protocol, href } = new URL(url, base);
  return ['http:', 'https:', 'file:'].includes(protocol) ? href : undefined;
}

function isFileName(file: string): boolean {
  return /^[A-Za-z0-9][\w.!+-]*$/.test(file) && file.length <= 255;
}

function secondsOf(time: string | undefined): number | undefined {
  const milliseconds = Date.parse(time ?? '');
  return Number.isNaN(milliseconds) || milliseconds < 0 ? undefined : Math.floor(milliseconds / 1000);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
