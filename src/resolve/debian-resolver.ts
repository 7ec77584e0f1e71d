import { createHash } from 'node:crypto';
import { byteOrder } from '../base/byte-order.ts';
import { closestWord } from '../base/closest-word.ts';
import { digestFromHex, digestOf, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { WantedVersions } from './agreement.ts';
import {
  conflictError,
  missingSuites,
  parseIndexTargets,
  parsePrintedUris,
  releaseFileOf,
  TARGET_FORMAT,
  unknownPackageError,
  unknownPackages,
  updateError,
  type IndexTarget,
  type PrintedUri,
} from './apt-output.ts';
import type { AptRoot } from './apt-root.ts';
import { chosenBefore } from './chosen-packages.ts';
import { stanzaTexts } from './deb822.ts';
import { debArtifact, fileNameOf, namesOfClosure, readPackage, type ChosenPackage } from './debian-packages.ts';
import type { SourceEntry } from './debian-sources.ts';
import { redactAddresses, tailOf } from './redact.ts';
import { parseRelease } from './release-file.ts';
import type { DebArtifact, SignedIndex } from './resolution.ts';

export interface DebianRequest {
  readonly suite: string;
  readonly packages: readonly string[];
  readonly sources: readonly SourceEntry[];
  /** Versions to stay at and to take, where the archive has them. */
  readonly pins: WantedVersions;
  /** Told when a suite of a mirror is left out. */
  readonly warn: (message: string) => void;
}

export interface DebianResolution {
  readonly debs: readonly DebArtifact[];
  readonly indexes: readonly SignedIndex[];
}

const PACKAGE_NAME = /^[a-z0-9][a-z0-9+.-]*$/;

/**
 * Gets the indexes, and has apt choose the packages. What apt says is checked again: each index against the signed
 * InRelease, each package against its index. Throws E_ARCHIVE_UNTRUSTED, E_ARCHIVE_UNKNOWN, E_DOWNLOAD, E_DEB_UNKNOWN and
 * E_DEB_CONFLICT.
 */
export async function resolveDebian(root: AptRoot, request: DebianRequest): Promise<DebianResolution> {
  try {
    return await resolveOnce(root, request);
  } catch (error) {
    if (!(error instanceof RootcellarError) || error.code !== 'E_ARCHIVE_UNTRUSTED') throw error;
    // The lists of an earlier run may be damaged, and apt believes what it has: only fresh ones are proof.
    if (!(await root.forgetLists())) throw error;
    return await resolveOnce(root, request);
  }
}

async function resolveOnce(root: AptRoot, request: DebianRequest): Promise<DebianResolution> {
  await updateIndexes(root, request);
  await root.setPins(request.pins);
  return await choosePackages(root, request);
}

/** As `resolveDebian`, when the indexes are there already. What was chosen of the same indexes before is chosen again. */
export async function choosePackages(root: AptRoot, request: DebianRequest): Promise<DebianResolution> {
  if (request.packages.length === 0) return { debs: [], indexes: [] };
  return chosenBefore(root, request, () => chooseNow(root, request));
}

async function chooseNow(root: AptRoot, request: DebianRequest): Promise<DebianResolution> {
  const printed = await printUris(root, request);
  const targets = await indexTargets(root);
  const wanted = new Map(printed.map((line) => [decodeURIComponent(line.uri), line]));
  const chosen: ChosenPackage[] = [];
  const used: SignedIndex[] = [];
  await inOrder(targets, async (target) => {
    const { packages, index } = await readIndex(root, target, wanted);
    chosen.push(...packages);
    if (packages.length > 0) used.push(index);
  });
  const missing = [...wanted.keys()].find(
    (uri) => !chosen.some(({ stanza }) => uri.endsWith(`/${stanza.get('filename') ?? ''}`)),
  );
  if (missing !== undefined)
    throw untrusted(`\`${missing.slice(missing.lastIndexOf('/') + 1)}\` is in no signed index`);
  return {
    debs: debsOf(chosen),
    indexes: used.toSorted((a, b) => byteOrder(a.suite, b.suite) || byteOrder(a.component, b.component)),
  };
}

/** Gets the indexes of `request.sources`. Errors as of `resolveDebian`. */
export async function updateIndexes(root: AptRoot, request: DebianRequest): Promise<void> {
  await root.setSources(request.sources);
  await root.restoreLists();
  const { exitCode, stdout, stderr } = await root.run('apt-get', ['update']);
  const output = `${stdout}\n${stderr}`;
  if (exitCode === 0 && !/^W: (?:Failed to fetch|Some index files)/m.test(output)) {
    if (/^Get:/m.test(output)) await root.keepLists();
    return;
  }
  const optional = `${request.suite}-updates`;
  const missing = missingSuites(output);
  if (missing.length === 0 || missing.some((suite) => suite !== optional)) throw updateError(output);
  request.warn(`debian archive: it has no suite \`${optional}\`; resolving without it`);
  const sources = request.sources.filter(({ suites }) => !suites.includes(optional));
  await updateIndexes(root, { ...request, sources });
}

async function printUris(root: AptRoot, request: DebianRequest): Promise<readonly PrintedUri[]> {
  const odd = request.packages.filter((name) => !PACKAGE_NAME.test(name));
  if (odd.length > 0) throw unknownPackageError(odd, () => undefined, { ...request, ...root });
  const { exitCode, stdout, stderr } = await root.run('apt-get', [
    'install',
    '--print-uris',
    '-q',
    '--',
    ...request.packages,
  ]);
  const output = `${stdout}\n${stderr}`;
  if (exitCode !== 0) return await explainFailure(root, request, output);
  const printed = parsePrintedUris(stdout);
  if (printed === undefined) throw untrusted('an index gives no sha256 for a package');
  return printed;
}

async function explainFailure(root: AptRoot, request: DebianRequest, output: string): Promise<readonly PrintedUri[]> {
  const unknown = unknownPackages(output);
  if (unknown.length > 0) {
    const { stdout } = await root.run('apt-cache', ['pkgnames']);
    const names = stdout.split('\n').filter((name) => name !== '');
    throw unknownPackageError(unknown, (name) => closestPackage(name, names), { ...request, ...root });
  }
  if (!/unmet dependencies|held broken packages|Unsatisfied|conflict/i.test(output)) {
    throw new RootcellarError('E_RESOLVER_FAILED', `apt-get: ${tailOf(output, 8)}`);
  }
  const pins = fewerPins(request.pins);
  if (pins === undefined) throw conflictError(output);
  await root.setPins(pins);
  return await printUris(root, { ...request, pins });
}

/** What the peer has is let go first, then what is locked. */
function fewerPins({ locked, peer }: WantedVersions): WantedVersions | undefined {
  if (peer.size > 0) return { locked, peer: new Map() };
  return locked.size > 0 ? { locked: new Map(), peer } : undefined;
}

/** Of these packages, all versions that the archive has, by name. The indexes must be there. */
export async function availableVersions(
  root: AptRoot,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (names.length === 0) return new Map();
  const { stdout } = await root.run('apt-cache', ['madison', '--', ...names]);
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(
    names.map((name) => [name, rows.filter(([first]) => first === name).map(([, version = '']) => version)]),
  );
}

/** Compares only names of about the same length that begin alike: an archive has some 70 000. */
function closestPackage(name: string, names: readonly string[]): string | undefined {
  const near = names.filter((other) => Math.abs(other.length - name.length) <= 2 && other[0] === name[0]);
  return closestWord(name, near.toSorted(byteOrder));
}

async function indexTargets(root: AptRoot): Promise<readonly IndexTarget[]> {
  const { exitCode, stdout, stderr } = await root.run('apt-get', ['indextargets', '--format', TARGET_FORMAT]);
  if (exitCode !== 0) throw new RootcellarError('E_RESOLVER_FAILED', `apt-get indextargets: ${tailOf(stderr, 4)}`);
  return parseIndexTargets(stdout);
}

/** Reads one Packages file: its digest must be the one that the signed file names, its stanzas must say what apt said. */
async function readIndex(
  root: AptRoot,
  target: IndexTarget,
  wanted: ReadonlyMap<string, PrintedUri>,
): Promise<{ readonly packages: readonly ChosenPackage[]; readonly index: SignedIndex }> {
  const hash = createHash('sha256');
  const packages: ChosenPackage[] = [];
  for await (const text of stanzaTexts(hashed(root.stream(target.file), hash))) {
    const line = wanted.get(target.repository + (fileNameOf(text) ?? ''));
    if (line === undefined) continue;
    const chosen = readPackage(text, target.suite);
    checkStanza(chosen, line);
    packages.push(chosen);
  }
  const index = await signedIndex(root, target, digestFromHex(hash.digest('hex')));
  return { packages, index };
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function checkStanza({ stanza }: ChosenPackage, line: PrintedUri): void {
  const same = digestFromHex(stanza.get('sha256') ?? '') === line.digest && Number(stanza.get('size')) === line.size;
  if (!same) throw untrusted(`package \`${stanza.get('package') ?? ''}\` is not what its index says`);
}

async function signedIndex(root: AptRoot, target: IndexTarget, digest: Digest | undefined): Promise<SignedIndex> {
  const bytes =
    (await root.read(releaseFileOf(target, 'InRelease'))) ?? (await root.read(releaseFileOf(target, 'Release')));
  if (bytes === undefined || digest === undefined) throw untrusted(`suite \`${target.suite}\` has no signed index`);
  const release = parseRelease(Buffer.from(bytes).toString());
  if (release.digests.get(target.metaKey) !== digest) {
    throw untrusted(`suite \`${target.suite}\`: \`${target.metaKey}\` does not match the signed index`);
  }
  if (release.date === undefined) throw untrusted(`suite \`${target.suite}\`: the signed index has no date`);
  const { suite, component } = target;
  return { archive: 'debian', suite, component, inRelease: digestOf(bytes), packages: digest, date: release.date };
}

/** One artifact per package: where several suites have the same file, the first in byte order. */
function debsOf(chosen: readonly ChosenPackage[]): readonly DebArtifact[] {
  const closure = namesOfClosure(chosen);
  const debs = new Map<string, DebArtifact>();
  for (const item of chosen.toSorted((a, b) => byteOrder(a.suite, b.suite))) {
    const deb = debArtifact(item, closure);
    if (deb === undefined) throw untrusted(`package \`${item.stanza.get('package') ?? ''}\` has a malformed stanza`);
    if (!debs.has(deb.name)) debs.set(deb.name, deb);
  }
  return [...debs.values()].toSorted((a, b) => byteOrder(a.name, b.name));
}

function untrusted(what: string): RootcellarError {
  return new RootcellarError('E_ARCHIVE_UNTRUSTED', `debian archive: ${redactAddresses(what)}`, {
    hint: 'run the same command again; if it stays so, the mirror is broken or hostile',
  });
}

async function inOrder<T>(items: readonly T[], step: (item: T) => Promise<void>): Promise<void> {
  await items.reduce<Promise<void>>((before, item) => before.then(() => step(item)), Promise.resolve());
}
