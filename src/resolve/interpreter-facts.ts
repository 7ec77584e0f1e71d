import type { DebArtifact, Interpreter } from './resolution.ts';

/**
 * The interpreter that a closure of Debian packages brings, or undefined when there is none.
 * Source of the folders: Debian Python Policy §1.4 and `site.py` of Debian's python3.
 */
export function interpreterOf(debs: readonly DebArtifact[]): Interpreter | undefined {
  const python = debs
    .flatMap(({ name, version }) => {
      const [, minor] = /^python3\.(\d+)-minimal$/.exec(name) ?? [];
      return minor === undefined ? [] : [{ minor: Number(minor), version: upstreamVersion(version) }];
    })
    .toSorted((a, b) => b.minor - a.minor)[0];
  const libc = debs.find(({ name }) => name === 'libc6');
  if (python === undefined || libc === undefined) return undefined;
  const command = `python3.${python.minor}`;
  return {
    version: /^\d+\.\d+\.\d+/.exec(python.version)?.[0] ?? python.version,
    path: `/usr/bin/${command}`,
    glibc: /^\d+\.\d+/.exec(upstreamVersion(libc.version))?.[0] ?? libc.version,
    sitePath: `/usr/local/lib/${command}/dist-packages`,
    prefix: '/usr/local',
  };
}

/** Folder of its standard library, absolute. */
export function standardLibrary({ path, version, stdlib }: Interpreter): string {
  const minor = version.split('.').slice(0, 2).join('.');
  return stdlib ?? `${path.slice(0, path.lastIndexOf('/bin/'))}/lib/python${minor}`;
}

/** Without the epoch and the Debian revision. Source: deb-version(7). */
export function upstreamVersion(version: string): string {
  const colon = version.indexOf(':');
  const dash = version.lastIndexOf('-');
  return version.slice(colon + 1, dash > colon ? dash : undefined);
}
