import { digestFromHex, type Digest } from '../base/digest.ts';
import { parseStanza, type Stanza } from './deb822.ts';

/** What an InRelease (or Release) file says. */
export interface ReleaseFile {
  /** Seconds since 1970; undefined when it has no date that can be read. */
  readonly date: number | undefined;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  /** Of the index files, by path below the suite's folder, such as `main/binary-amd64/Packages`. */
  readonly digests: ReadonlyMap<string, Digest>;
}

/**
 * Reads the text that is signed; the signature is apt's business.
 * Source: Debian Wiki, "DebianRepository/Format", and RFC 9580 §7 for the frame and its dash-escaping.
 */
export function parseRelease(text: string): ReleaseFile {
  const stanza = parseStanza(signedText(text.replaceAll('\r\n', '\n')));
  const date = Date.parse(stanza.get('date') ?? '');
  return {
    date: Number.isNaN(date) ? undefined : Math.floor(date / 1000),
    components: (stanza.get('components') ?? '').split(/\s+/),
    architectures: (stanza.get('architectures') ?? '').split(/\s+/),
    digests: digestsOf(stanza),
  };
}

function signedText(text: string): string {
  const [, body] =
    /^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([^]*?)\n-----BEGIN PGP SIGNATURE-----/.exec(text) ?? [];
  return (body ?? text).replaceAll(/^- /gm, '');
}

function digestsOf(stanza: Stanza): ReadonlyMap<string, Digest> {
  const digests = new Map<string, Digest>();
  for (const line of (stanza.get('sha256') ?? '').split('\n')) {
    const [hex = '', , path] = line.trim().split(/\s+/);
    const digest = digestFromHex(hex);
    if (digest !== undefined && path !== undefined) digests.set(path, digest);
  }
  return digests;
}
