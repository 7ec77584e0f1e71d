import { compare, valid } from '@renovatebot/pep440';
import { byteOrder } from '../base/byte-order.ts';
import { compareDebVersions } from './deb-control.ts';

/** A package as comparisons see it. */
export interface ComparedPackage {
  readonly kind: 'deb' | 'wheel';
  readonly name: string;
  readonly version: string;
  /** Of the artifact; undefined where it is not known. */
  readonly digest: string | undefined;
}

/** `changed`: the same version, another artifact. */
export type PackageChange = 'added' | 'removed' | 'upgraded' | 'downgraded' | 'changed';

export interface PackageDifference {
  readonly kind: 'deb' | 'wheel';
  readonly name: string;
  readonly change: PackageChange;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** In byte order of name, a .deb before a wheel. Versions are ordered as dpkg and as PEP 440 say. */
export function comparePackages(
  before: readonly ComparedPackage[],
  after: readonly ComparedPackage[],
): readonly PackageDifference[] {
  const old = new Map(before.map((one) => [keyOf(one), one]));
  const now = new Map(after.map((one) => [keyOf(one), one]));
  return [...new Set([...old.keys(), ...now.keys()])].toSorted(byteOrder).flatMap((key) => {
    const [a, b] = [old.get(key), now.get(key)];
    const { kind, name } = a ?? b ?? { kind: 'deb', name: key };
    const change = changeOf(a, b);
    return change === undefined ? [] : [{ kind, name, change, before: a?.version, after: b?.version }];
  });
}

/** Negative, zero or positive. What is no version of PEP 440 comes before what is, in byte order. */
export function comparePythonVersions(a: string, b: string): number {
  const [isA, isB] = [valid(a) !== null, valid(b) !== null];
  if (isA && isB) return compare(a, b);
  return isA === isB ? byteOrder(a, b) : Number(isA) - Number(isB);
}

function keyOf({ name, kind }: ComparedPackage): string {
  return `${name}\0${kind}`;
}

function changeOf(a: ComparedPackage | undefined, b: ComparedPackage | undefined): PackageChange | undefined {
  if (a === undefined) return 'added';
  if (b === undefined) return 'removed';
  const order =
    a.kind === 'deb' ? compareDebVersions(a.version, b.version) : comparePythonVersions(a.version, b.version);
  if (order !== 0) return order < 0 ? 'upgraded' : 'downgraded';
  if (a.version !== b.version) return 'changed';
  return a.digest === undefined || b.digest === undefined || a.digest === b.digest ? undefined : 'changed';
}
