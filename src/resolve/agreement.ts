import { ARCHITECTURES, type Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { ResolvedTarget } from './resolution.ts';
import { mayUpgrade, type Upgrade } from './resolver-settings.ts';

/** Another architecture of the same image: what it has is wanted here, too, where that can be. */
export interface Peer {
  readonly architecture: Architecture;
  readonly target: ResolvedTarget;
  /** Whether it was locked before, and stays so. What may be upgraded is then not held back by it. */
  readonly isKept: boolean;
}

/** Versions by name. */
export type Versions = ReadonlyMap<string, string>;

/** Versions to stay at and versions to take, by name; those of the peer win. */
export interface WantedVersions {
  /** What is locked for this architecture. */
  readonly locked: Versions;
  /** What the peer has. */
  readonly peer: Versions;
}

/** Why a package has another version than its peer's, by name. */
export type Reasons = ReadonlyMap<string, string>;

/** The architecture whose versions the others follow: the first that is there already. */
export function peerOf(
  architecture: Architecture,
  targets: ReadonlyMap<Architecture, ResolvedTarget>,
  kept: readonly Architecture[],
): Peer | undefined {
  const first = ARCHITECTURES.find((other) => other !== architecture && targets.has(other));
  const target = first === undefined ? undefined : targets.get(first);
  if (first === undefined || target === undefined) return undefined;
  return { architecture: first, target, isKept: kept.includes(first) };
}

export interface Wanting {
  readonly previous: ResolvedTarget | undefined;
  readonly peer: Peer | undefined;
  readonly upgrade: Upgrade;
}

/** What a request to resolve one architecture wants. */
export function wantingOf(request: {
  readonly previous?: { readonly targets: ReadonlyMap<Architecture, ResolvedTarget> } | undefined;
  readonly architecture: Architecture;
  readonly peer: Peer | undefined;
  readonly upgrade: Upgrade;
}): Wanting {
  const { previous, architecture, peer, upgrade } = request;
  return { previous: previous?.targets.get(architecture), peer, upgrade };
}

export function wantedVersions(kind: 'debs' | 'wheels', { previous, peer, upgrade }: Wanting): WantedVersions {
  const held = (target: ResolvedTarget | undefined): Versions =>
    versionsOf((target?.[kind] ?? []).filter(({ name }) => !mayUpgrade(upgrade, name)));
  return {
    locked: held(previous),
    peer: peer?.isKept === false ? versionsOf(peer.target[kind]) : held(peer?.target),
  };
}

function versionsOf(artifacts: readonly { readonly name: string; readonly version: string }[]): Versions {
  return new Map(artifacts.map(({ name, version }) => [name, version]));
}

/** A Debian version without the number of the build: `+b1` means the same source, built again. Source: deb-version(7). */
export function withoutRebuild(version: string): string {
  return version.replace(/\+b\d+$/, '');
}

/** How a wanted version turned out that is not the one that was taken. */
export function reasonFor(version: string, has: boolean, architecture: Architecture): string {
  return has
    ? `${version} does not go with what else ${architecture} has`
    : `there is no ${version} for ${architecture} now`;
}

/**
 * A line for each package of which two architectures have different versions, or only one has any, in byte order of name.
 * `before` are lines that were true before: the reasons of what has not changed are taken from there.
 */
export function differencesOf(
  targets: ReadonlyMap<Architecture, ResolvedTarget>,
  reasons: Reasons,
  before: readonly string[] = [],
): readonly string[] {
  const [first, ...others] = ARCHITECTURES.flatMap((architecture): readonly Side[] => {
    const target = targets.get(architecture);
    return target === undefined ? [] : [{ architecture, target }];
  });
  if (first === undefined) return [];
  return others.flatMap((other) =>
    (['debs', 'wheels'] as const).flatMap((kind) => differencesBetween(kind, [first, other], { reasons, before })),
  );
}

interface Side {
  readonly architecture: Architecture;
  readonly target: ResolvedTarget;
}

interface Explanations {
  readonly reasons: Reasons;
  readonly before: readonly string[];
}

function differencesBetween(
  kind: 'debs' | 'wheels',
  [a, b]: readonly [Side, Side],
  { reasons, before }: Explanations,
): readonly string[] {
  const left = versionsOf(a.target[kind]);
  const right = versionsOf(b.target[kind]);
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name));
  return names.toSorted(byteOrder).map((name) => {
    const one = left.get(name);
    const other = right.get(name);
    const subject = `${name}: ${placed(one, a.architecture)}, ${placed(other, b.architecture)}`;
    if (one === undefined) return `${subject}: ${needOf(name, kind, b)}`;
    if (other === undefined) return `${subject}: ${needOf(name, kind, a)}`;
    if (kind === 'debs' && withoutRebuild(one) === withoutRebuild(other)) {
      return `${subject}: the same source, built another time`;
    }
    const reason = reasons.get(name);
    const known = before.find((line) => line.startsWith(`${subject}: `));
    return reason === undefined ? (known ?? `${subject}: locked at different times`) : `${subject}: ${reason}`;
  });
}

function placed(version: string | undefined, architecture: Architecture): string {
  return `${version ?? 'none'} on ${architecture}`;
}

/** Why a package is there on one side alone. */
function needOf(name: string, kind: 'debs' | 'wheels', { architecture, target }: Side): string {
  if (kind === 'wheels') return `its marker, or a package that needs it, is for ${architecture} only`;
  const needers = target.debs.filter(({ depends }) => depends.includes(name)).map((deb) => deb.name);
  return needers.length === 0 ? `only ${architecture} has it` : `\`${needers.join('`, `')}\` needs it there`;
}
