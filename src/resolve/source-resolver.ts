import { valid } from '@renovatebot/pep440';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digestOf } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { buildSource, type BuildTools, type BuiltSource } from './build-requirements.ts';
import { versionOf, type Candidates } from './candidates.ts';
import type { GatePage } from './index-gate.ts';
import type { PackageIndex } from './package-index.ts';
import type { PickedWheel } from './python-resolution.ts';
import type { PythonTarget } from './python-tags.ts';
import type { SdistArtifact, SourceArtifact, WheelArtifact } from './resolution.ts';
import type { IndexFile } from './simple-page.ts';
import { dependencyText, stubWheel } from './stub-wheel.ts';
import type { SourceFacts } from './wheel-builder.ts';

/** Decides on the files of a project. */
export type Judge = (name: string) => Promise<GatePage>;

export interface SourceRequest<T> {
  /** Normalised names of what is built from an index's source distribution. */
  readonly names: ReadonlySet<string>;
  /** What is known already: each is the only candidate of its name. */
  readonly known: readonly Release[];
  readonly target: PythonTarget;
  readonly tools: BuildTools;
  readonly index: PackageIndex;
  /** Exists, and is empty. */
  readonly folder: string;
  /** Decides on all that is not built, and on the source distributions of what is. */
  readonly judge: Judge;
  /** Has the tool resolve among what the judge lets through; then `finish` decides whether that is the end. */
  readonly resolve: (judge: Judge, finish: Finish) => Promise<T | undefined>;
}

/** The wheels that were built, by name; undefined: there is more to be known, and the tool has to be asked again. */
export type Finish = (chosen: readonly PickedWheel[]) => Promise<ReadonlyMap<string, WheelArtifact> | undefined>;

/** A release as far as it is known. */
export interface Release {
  readonly source: SourceArtifact;
  readonly facts: SourceFacts;
  metadata: string;
  built: BuiltSource | undefined;
}

/** Each round finds out the metadata of one release or more, so this is a bound on how often a resolver may change its mind. */
const MOST_ROUNDS = 40;

interface State<T> extends SourceRequest<T> {
  readonly releases: Map<string, Release>;
  /** What may be taken of projects, by name. */
  readonly pages: Map<string, Promise<GatePage>>;
}

/**
 * Resolves with packages of which only sources may be used. The resolver sees a stand-in for each release: at first one that
 * depends on nothing. Of what it then chooses, the metadata are found out (from the source, else by building it in a cell)
 * and it is asked again, until it chooses only what is known: that is then a resolution like any other. At last all chosen
 * are built; one whose wheel says something else than its source did makes it begin anew.
 */
export async function resolveWithSources<T>(request: SourceRequest<T>): Promise<T> {
  const releases = new Map(request.known.map((known) => [keyOf(known.source.name, known.source.version), known]));
  const state: State<T> = { ...request, releases, pages: new Map() };
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const result = await request.resolve(
      (name) => judgeSource(name, state),
      (chosen) => settle(chosen, state),
    );
    if (result !== undefined) return result;
  }
  throw new RootcellarError('E_RESOLVER_FAILED', 'python requirements: the packages to build have no end of versions', {
    hint: 'pin the versions of what is in `python.build_from_source`',
  });
}

/** Stand-ins for the releases of what is to be built. */
async function judgeSource<T>(name: string, state: State<T>): Promise<GatePage> {
  const known = state.known.filter(({ source }) => source.name === name);
  if (known.length === 0 && !state.names.has(name)) return await state.judge(name);
  const page: GatePage =
    known.length === 0 ? await pageOf(name, state) : { usable: [], refused: [], label: undefined, isKnown: true };
  const stubs = known.map(({ source }) => ({ version: normal(source.version), file: undefined }));
  const all = known.length === 0 ? oneEach(name, page).map((one) => one) : stubs;
  const usable: IndexFile[] = [];
  for (const { version, file } of all) usable.push(await stubFile(name, { version, file }, state));
  return { ...page, usable };
}

async function pageOf<T>(name: string, { pages, judge }: State<T>): Promise<GatePage> {
  const page = pages.get(name) ?? judge(name);
  pages.set(name, page);
  const { usable, refused } = await page;
  if (usable.length > 0 || refused.length > 0 || !(await page).isKnown) return await page;
  throw new RootcellarError(
    'E_REQUIREMENT_NO_WHEEL',
    `python requirement \`${name}\`: the package index has no source distribution that could be built`,
    { hint: `remove \`${name}\` from \`python.build_from_source\`` },
  );
}

interface Candidate {
  /** In normal form. */
  readonly version: string;
  /** Undefined: it is known already. */
  readonly file: IndexFile | undefined;
}

/** Of two sources of a version, the tar. */
function oneEach(name: string, { usable }: Candidates): readonly Candidate[] {
  const byVersion = new Map<string, IndexFile>();
  for (const file of usable) {
    const version = normal(versionOf(file.file, name) ?? '');
    if (!byVersion.has(version) || file.file.endsWith('.tar.gz')) byVersion.set(version, file);
  }
  return [...byVersion].map(([version, file]) => ({ version, file }));
}

async function stubFile<T>(name: string, { version, file }: Candidate, state: State<T>): Promise<IndexFile> {
  const metadata = state.releases.get(keyOf(name, version))?.metadata;
  const stub = stubWheel({ name, version, metadata, requiresPython: file?.requiresPython });
  const digest = digestOf(stub.content);
  const path = join(state.folder, `${digest.slice('sha256:'.length, 24)}-${stub.file}`);
  await writeFile(path, stub.content);
  return {
    file: stub.file,
    url: pathToFileURL(path).href,
    digest,
    size: stub.content.length,
    uploaded: file?.uploaded,
    yanked: false,
    requiresPython: file?.requiresPython,
    hasMetadata: false,
  };
}

/** Undefined when something new was found out. */
async function settle<T>(
  picked: readonly PickedWheel[],
  state: State<T>,
): Promise<ReadonlyMap<string, WheelArtifact> | undefined> {
  const own = new Set(state.known.map(({ source }) => source.name));
  const chosen = picked.filter(({ name }) => own.has(name) || state.names.has(name));
  if (await learnAll(chosen, state)) return undefined;
  if (await buildAll(chosen, state)) return undefined;
  return new Map(chosen.map((wheel) => [wheel.name, lockedWheel(wheel, state.releases)]));
}

/** Whether there was something to find out. */
async function learnAll<T>(chosen: readonly PickedWheel[], state: State<T>): Promise<boolean> {
  const { tools, releases } = state;
  const unknown = chosen.filter(({ name, version }) => !releases.has(keyOf(name, version)));
  for (const { name, version } of unknown) {
    const source = await fetchSource(name, version, state);
    const facts = await tools.builder.inspect(source);
    const built = facts.metadata === undefined ? await buildFor(state.target, { source, facts }, tools) : undefined;
    const metadata = acceptable(source, built?.wheel.metadata ?? facts.metadata ?? '');
    releases.set(keyOf(name, version), { source, facts, metadata, built });
  }
  return unknown.length > 0;
}

async function fetchSource<T>(name: string, picked: string, state: State<T>): Promise<SdistArtifact> {
  const version = normal(picked);
  const page = await pageOf(name, state);
  const file = required(oneEach(name, page).find((one) => one.version === version)?.file);
  const { index, tools } = state;
  const [size, digest] = [await index.sizeOf(file), await index.digestOf(file)];
  const source: SdistArtifact = {
    kind: 'sdist',
    name,
    version,
    file: file.file,
    size,
    digest,
    uploaded: file.uploaded,
  };
  await tools.builder.fetch(source);
  return source;
}

/** Whether a wheel depends on something else than its source said. */
async function buildAll<T>(chosen: readonly PickedWheel[], { tools, target, releases }: State<T>): Promise<boolean> {
  let isOther = false;
  for (const { name, version } of chosen) {
    const release = required(releases.get(keyOf(name, version)));
    if (release.built !== undefined) continue;
    release.built = await buildFor(target, release, tools);
    const metadata = acceptable(release.source, release.built.wheel.metadata);
    if (dependencyText(metadata) === dependencyText(release.metadata)) continue;
    release.metadata = metadata;
    isOther = true;
  }
  return isOther;
}

/** Throws E_WHEEL_BUILD for a wheel of this machine's architecture where the target is of another. */
export async function buildFor(
  { architecture }: PythonTarget,
  { source, facts }: Pick<Release, 'source' | 'facts'>,
  tools: BuildTools,
): Promise<BuiltSource> {
  const built = await buildSource(source, facts, tools);
  const own = tools.environment.architecture;
  if (architecture === own || built.wheel.file.endsWith('-none-any.whl')) return built;
  const what = `its wheel holds code for ${own}, and none for ${architecture} can be built here`;
  throw new RootcellarError('E_WHEEL_BUILD', `\`${source.name}\` ${built.wheel.version}: ${what}`, {
    hint: `remove \`${source.name}\` from \`python.build_from_source\`, or lock for ${architecture} on such a machine`,
  });
}

/** A dependency on an address would have a resolver get, and pip run, whatever is there. */
export function acceptable({ name, version }: SourceArtifact, metadata: string): string {
  const direct = /^Requires-Dist:[^;\n]*@/im.exec(metadata.split(/\r?\n\r?\n/, 1)[0] ?? '');
  if (direct === null) return metadata;
  throw new RootcellarError(
    'E_ARTIFACT_INVALID',
    `\`${name}\` ${version}: depends on an address instead of a package`,
    { hint: 'choose another version of it' },
  );
}

function lockedWheel({ name, version }: PickedWheel, releases: ReadonlyMap<string, Release>): WheelArtifact {
  const { source, built } = required(releases.get(keyOf(name, version)));
  const { wheel, requirements } = required(built);
  const uploaded = source.kind === 'sdist' ? source.uploaded : undefined;
  const { file, size, digest } = wheel;
  const builtFrom = { source: { ...source, version: wheel.version }, requirements };
  return { kind: 'wheel', name, version: wheel.version, file, size, digest, uploaded, builtFrom };
}

function keyOf(name: string, version: string): string {
  return `${name} ${normal(version)}`;
}

function normal(version: string): string {
  return valid(version) ?? version;
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('unreachable: a release that was chosen is not known');
  return value;
}
