import { RootcellarError } from '../base/rootcellar-error.ts';
import { parseDeb822, wordsOf, type Stanza } from './deb822.ts';

/** One entry of apt's sources. Options that weaken the signature check (`trusted`, `allow-insecure`, …) are not kept. */
export interface SourceEntry {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Paths of keyrings or fingerprints, or a whole key in ASCII armour; undefined: apt's own trusted keys. */
  readonly signedBy: string | undefined;
  /** Debian names; empty: every architecture. */
  readonly architectures: readonly string[];
}

/** Enabled `deb` entries of a deb822 `.sources` file. Source: sources.list(5). */
export function parseSourcesFile(text: string): readonly SourceEntry[] {
  return parseDeb822(text)
    .filter((stanza) => wordsOf(stanza, 'Types').includes('deb') && isEnabled(stanza))
    .map((stanza) => ({
      uris: wordsOf(stanza, 'URIs').map(withoutSlash),
      suites: wordsOf(stanza, 'Suites'),
      components: wordsOf(stanza, 'Components'),
      signedBy: stanza.get('signed-by'),
      architectures: wordsOf(stanza, 'Architectures'),
    }));
}

function isEnabled(stanza: Stanza): boolean {
  return !['no', 'false', '0', 'off', 'disable', 'without'].includes((stanza.get('enabled') ?? 'yes').toLowerCase());
}

/** `deb` entries of a one-line-style `.list` file. Source: sources.list(5). */
export function parseListFile(text: string): readonly SourceEntry[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', uri, suite, components = ''] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line) ?? [];
    if (uri === undefined || suite === undefined) return [];
    const set = listOptions(options);
    return [
      {
        uris: [withoutSlash(uri)],
        suites: [suite],
        components: components.split(/\s+/).filter((word) => word !== ''),
        signedBy: set.get('signed-by'),
        architectures: (set.get('arch') ?? '').split(',').filter((word) => word !== ''),
      },
    ];
  });
}

function listOptions(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(/\s+/).map((word): [string, string] => {
    const equals = word.indexOf('=');
    return [word.slice(0, Math.max(equals, 0)).toLowerCase(), word.slice(equals + 1)];
  });
  return new Map(pairs);
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}

export interface WantedSuite {
  readonly suite: string;
  /** Of this machine, such as `bookworm`: its entries show where the other suites of the same archive are. */
  readonly hostCodename: string | undefined;
  readonly components: readonly string[];
  /** Archive address; undefined: this machine's own. */
  readonly mirror: string | undefined;
  readonly architecture: string;
  /** Used for a mirror when no entry of this machine names a keyring. */
  readonly defaultKeyring: string;
}

const POCKETS = ['', '-updates', '-security'];

/**
 * The entries to resolve `wanted.suite` from, one suite each. Entries that name the suite itself win; otherwise this
 * machine's entries for its own release are carried over (bookworm-security → trixie-security), at the same address and
 * with the same keys. Throws E_ARCHIVE_UNKNOWN when there are none.
 */
export function sourcesForSuite(entries: readonly SourceEntry[], wanted: WantedSuite): readonly SourceEntry[] {
  const usable = entries.filter(
    ({ architectures }) => architectures.length === 0 || architectures.includes(wanted.architecture),
  );
  if (wanted.mirror !== undefined) return mirrorSources(usable, wanted, wanted.mirror);
  const named = pocketEntries(usable, wanted.suite, wanted);
  const found = new Set(named.flatMap(({ suites }) => suites));
  const host = wanted.hostCodename === undefined ? [] : pocketEntries(usable, wanted.hostCodename, wanted);
  const result = [...named, ...host.filter(({ suites }) => !suites.some((suite) => found.has(suite)))];
  if (!result.some(({ suites }) => suites.includes(wanted.suite))) {
    throw new RootcellarError('E_ARCHIVE_UNKNOWN', `debian suite \`${wanted.suite}\`: apt has no source for it`, {
      hint: 'add the suite to /etc/apt/sources.list.d, or set `base.debian.mirror` in the recipe',
    });
  }
  return result;
}

/** One entry per pocket of `codename` that `entries` know, under the name of the wanted suite. */
function pocketEntries(entries: readonly SourceEntry[], codename: string, wanted: WantedSuite): SourceEntry[] {
  return POCKETS.flatMap((pocket) =>
    entries
      .filter(({ suites, uris }) => suites.includes(codename + pocket) && uris.length > 0)
      .map(({ uris, signedBy }) => ({
        uris,
        suites: [wanted.suite + pocket],
        components: wanted.components,
        signedBy,
        architectures: [],
      })),
  );
}

function mirrorSources(entries: readonly SourceEntry[], wanted: WantedSuite, mirror: string): SourceEntry[] {
  const names = new Set([wanted.hostCodename, wanted.suite]);
  const signer = entries.find(
    ({ suites, signedBy }) => signedBy !== undefined && suites.some((suite) => names.has(suite)),
  );
  return [wanted.suite, `${wanted.suite}-updates`].map((suite) => ({
    uris: [withoutSlash(mirror)],
    suites: [suite],
    components: wanted.components,
    signedBy: signer?.signedBy ?? wanted.defaultKeyring,
    architectures: [],
  }));
}

/** The text of a `.sources` file that has exactly these entries. */
export function formatSources(entries: readonly SourceEntry[], architecture: string): string {
  const stanzas = entries.map(({ uris, suites, components, signedBy }) =>
    [
      'Types: deb',
      `URIs: ${uris.join(' ')}`,
      `Suites: ${suites.join(' ')}`,
      `Components: ${components.join(' ')}`,
      `Architectures: ${architecture}`,
      ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy.split('\n').join('\n ')}`]),
      '',
    ].join('\n'),
  );
  return stanzas.join('\n');
}
