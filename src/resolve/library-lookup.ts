import type { Architecture } from '../base/architecture.ts';
import type { DebianBase } from '../recipe/recipe.ts';
import { DEBIAN_KEYRING, readMachineApt, withAptRoot } from './apt-root.ts';
import { updateIndexes } from './debian-resolver.ts';
import { sourcesForSuite } from './debian-sources.ts';
import { archiveLibraries, keptLibraries, type LibraryIndex } from './library-index.ts';
import type { ResolverSettings } from './resolver-settings.ts';

export interface LibraryLookup {
  readonly base: DebianBase;
  readonly architecture: Architecture;
  /** Whether only what was kept may be used. */
  readonly offline: boolean;
}

/**
 * Which packages of a suite have which libraries: as kept from an earlier time, else from the archive.
 * Undefined when nothing is kept and the archive may not be asked.
 * Throws E_RESOLVER_MISSING without apt, E_ARCHIVE_UNKNOWN, E_ARCHIVE_UNTRUSTED, E_DOWNLOAD.
 */
export async function debianLibraryIndex(
  { base, architecture, offline }: LibraryLookup,
  settings: ResolverSettings,
): Promise<LibraryIndex | undefined> {
  const machine = await readMachineApt(settings);
  const { suite, components, mirror } = base;
  const wanted = { suite, components, mirror, architecture, defaultKeyring: DEBIAN_KEYRING };
  const sources = sourcesForSuite(machine.entries, { ...wanted, hostCodename: machine.codename });
  return await withAptRoot({ machine, architecture, settings }, async (root) => {
    await root.setSources(sources);
    const kept = await keptLibraries(root);
    if (kept !== undefined || offline) return kept;
    await updateIndexes(root, {
      suite,
      packages: [],
      sources,
      pins: { locked: new Map(), peer: new Map() },
      warn: () => undefined,
    });
    return await archiveLibraries(root, architecture);
  });
}
