import { ARCHITECTURE_FACTS, type Architecture } from '../base/architecture.ts';

/** What decides whether a wheel fits: the interpreter and the C library below it. */
export interface PythonTarget {
  readonly architecture: Architecture;
  /** Such as `3.13.5`. */
  readonly pythonVersion: string;
  /** Such as `2.41`. */
  readonly glibc: string;
}

/** The oldest glibc 2.x that a manylinux tag can mean: the base of each architecture. Source: PEP 599 and PEP 600. */
const OLDEST_GLIBC: Readonly<Record<Architecture, number>> = { amd64: 5, arm64: 17 };

/** Tags from before PEP 600, by glibc 2.x. */
const LEGACY_NAMES: ReadonlyMap<number, string> = new Map([
  [17, 'manylinux2014'],
  [12, 'manylinux2010'],
  [5, 'manylinux1'],
]);

/** The oldest CPython 3.x with a stable ABI that wheels are tagged with. Source: PEP 384. */
const OLDEST_ABI3 = 2;

/**
 * Every tag that CPython on Debian accepts, best first: `cp313-cp313-manylinux_2_41_x86_64` … `py30-none-any`.
 * Source: PEP 425, PEP 600 and the order of `sys_tags` in the `packaging` library.
 */
export function wheelTags(target: PythonTarget): readonly string[] {
  const minor = Number(target.pythonVersion.split('.')[1]);
  const platforms = linuxPlatforms(target);
  const cp = `cp3${minor}`;
  const onPlatforms = (python: string, abi: string): string[] =>
    platforms.map((platform) => `${python}-${abi}-${platform}`);
  const older = countDown(minor - 1, OLDEST_ABI3);
  const generic = [`py3${minor}`, 'py3', ...countDown(minor - 1, 0).map((version) => `py3${version}`)];
  return [
    ...[cp, 'abi3', 'none'].flatMap((abi) => onPlatforms(cp, abi)),
    ...older.flatMap((version) => onPlatforms(`cp3${version}`, 'abi3')),
    ...generic.flatMap((python) => onPlatforms(python, 'none')),
    `${cp}-none-any`,
    ...generic.map((python) => `${python}-none-any`),
  ];
}

/** Every platform tag that the target accepts, best first: `manylinux_2_41_x86_64` … `linux_x86_64`. */
export function linuxPlatforms({ architecture, glibc }: PythonTarget): readonly string[] {
  const { machine } = ARCHITECTURE_FACTS[architecture];
  const newest = Number(glibc.split('.')[1]);
  const levels = countDown(newest, OLDEST_GLIBC[architecture]).flatMap((level) =>
    [`manylinux_2_${level}`, LEGACY_NAMES.get(level)].flatMap((name) =>
      name === undefined ? [] : `${name}_${machine}`,
    ),
  );
  return [...levels, `linux_${machine}`];
}

function countDown(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, from - to + 1) }, (_, step) => from - step);
}

/** Position of each tag in `tags`; less is better. */
export function tagRanks(tags: readonly string[]): ReadonlyMap<string, number> {
  return new Map(tags.map((tag, rank) => [tag, rank]));
}
