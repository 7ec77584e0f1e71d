import { withoutRebuild, type WantedVersions } from './agreement.ts';
import type { Environment } from './resolver-settings.ts';

/** Folders and files of this machine's apt, as absolute paths. */
export interface AptPaths {
  readonly sourceList: string;
  readonly sourceParts: string;
  readonly trusted: string;
  readonly trustedParts: string;
  readonly netrc: string;
  readonly netrcParts: string;
}

/** Arguments of `apt-config` that make it print what `parseAptPaths` reads. */
export const APT_PATHS_QUERY: readonly string[] = [
  'shell',
  'sourceList',
  'Dir::Etc::sourcelist/f',
  'sourceParts',
  'Dir::Etc::sourceparts/d',
  'trusted',
  'Dir::Etc::trusted/f',
  'trustedParts',
  'Dir::Etc::trustedparts/d',
  'netrc',
  'Dir::Etc::netrc/f',
  'netrcParts',
  'Dir::Etc::netrcparts/d',
];

/** Reads the output of `apt-config shell`: lines of `name='path'`. */
export function parseAptPaths(output: string): AptPaths {
  const values = new Map([...output.matchAll(/^(\w+)='([^']*)'$/gm)].map(([, name = '', value = '']) => [name, value]));
  const path = (name: keyof AptPaths, usual: string): string => values.get(name) ?? usual;
  return {
    sourceList: path('sourceList', '/etc/apt/sources.list'),
    sourceParts: path('sourceParts', '/etc/apt/sources.list.d'),
    trusted: path('trusted', '/etc/apt/trusted.gpg'),
    trustedParts: path('trustedParts', '/etc/apt/trusted.gpg.d'),
    netrc: path('netrc', '/etc/apt/auth.conf'),
    netrcParts: path('netrcParts', '/etc/apt/auth.conf.d'),
  };
}

/** Settings that would weaken the signature check, or that decide what is fetched: never taken from the machine. */
const OWN_SETTINGS =
  /^Acquire::(?:Allow|IndexTargets|Languages|GzipIndexes|ForceHash|CompressionTypes|By-Hash|cdrom|Changelogs)/i;

/** The lines of `apt-config dump` that say how to reach archives: proxies, timeouts, certificates, retries. */
export function transportSettings(dump: string): readonly string[] {
  return dump.split('\n').filter((line) => /^Acquire::[^"\s]+ "[^"]*";$/.test(line) && !OWN_SETTINGS.test(line));
}

/**
 * The configuration of a private apt root for one architecture: nothing of the machine but its transport settings,
 * credentials and trusted keys. Weak or unsigned archives are refused, and a failed download of an index is an error.
 * Source: apt.conf(5), apt-secure(8).
 */
export function privateAptConfig(options: {
  readonly folder: string;
  readonly architecture: string;
  readonly paths: AptPaths;
  readonly transport: readonly string[];
}): string {
  const { folder, architecture, paths } = options;
  return `${[
    ...options.transport,
    `Dir "${folder}";`,
    `Dir::State::status "${folder}/var/lib/dpkg/status";`,
    `Dir::Etc::trusted "${paths.trusted}";`,
    `Dir::Etc::trustedparts "${paths.trustedParts}";`,
    `Dir::Etc::netrc "${paths.netrc}";`,
    `Dir::Etc::netrcparts "${paths.netrcParts}";`,
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    'APT::Install-Recommends "false";',
    'APT::Install-Suggests "false";',
    'APT::Get::Assume-Yes "true";',
    'APT::Get::AllowUnauthenticated "false";',
    'APT::Sandbox::User "";',
    'APT::Update::Error-Mode "any";',
    'pkgCacheGen::Essential "none";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowWeakRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'Acquire::Languages "none";',
    'Acquire::GzipIndexes "false";',
    'Acquire::ForceHash "SHA256";',
  ].join('\n')}\n`;
}

/**
 * Pins packages to versions where the archive still has them: to what is locked, else to any build of what the peer has.
 * What is locked but is of another source than the peer's is let go. Source: apt_preferences(5).
 */
export function pinPreferences({ locked, peer }: WantedVersions): string {
  const own = [...locked].filter(([name, version]) => isSameSource(version, peer.get(name) ?? version));
  return [
    ...own.map(([name, version]) => pin(name, version, 1001)),
    ...[...peer].flatMap(([name, version]) => {
      const source = withoutRebuild(version);
      return [pin(name, source, 1000), pin(name, `${source}+b*`, 1000)];
    }),
  ].join('\n');
}

function isSameSource(version: string, other: string): boolean {
  return withoutRebuild(version) === withoutRebuild(other);
}

function pin(name: string, version: string, priority: number): string {
  return `Package: ${name}\nPin: version ${version}\nPin-Priority: ${priority}\n`;
}

/** The environment of apt's programs: the user's, with the private configuration, and English texts. */
export function aptEnvironment(environment: Environment, folder: string): Environment {
  return {
    ...environment,
    APT_CONFIG: `${folder}/apt.conf`,
    LC_ALL: 'C',
    LANGUAGE: undefined,
    TMPDIR: `${folder}/tmp`,
  };
}
