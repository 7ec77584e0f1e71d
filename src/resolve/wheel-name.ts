import { byteOrder } from '../base/byte-order.ts';
import { normalName } from '../recipe/requirement-parts.ts';

/** What a wheel's file name says. */
export interface WheelName {
  /** Normalised as PEP 503 says. */
  readonly name: string;
  readonly version: string;
  /** Leading number and rest of the build tag; undefined: none. */
  readonly build: readonly [number, string] | undefined;
  /** Expanded: one for each combination of the dotted parts. */
  readonly tags: readonly string[];
}

const MOST_TAGS = 1000;

/** Reads `NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl`; undefined when it is no such name. Source: the binary distribution format. */
export function parseWheelName(file: string): WheelName | undefined {
  const match = /^([A-Za-z0-9][\w.]*)-([\w.!+]+)(?:-(\d+)([\w.]*))?-([\w.]+)-([\w.]+)-([\w.]+)\.whl$/.exec(file);
  const [, name, version, number, suffix, python, abi, platform] = match ?? [];
  if (name === undefined || version === undefined || python === undefined) return undefined;
  const tags = combinations([python.split('.'), (abi ?? '').split('.'), (platform ?? '').split('.')]);
  if (tags === undefined) return undefined;
  const build: readonly [number, string] | undefined =
    number === undefined ? undefined : [Number(number), suffix ?? ''];
  return { name: normalName(name), version: version.replaceAll('_', '-'), build, tags };
}

function combinations([pythons, abis, platforms]: readonly [string[], string[], string[]]): string[] | undefined {
  if (pythons.length * abis.length * platforms.length > MOST_TAGS) return undefined;
  return pythons.flatMap((python) =>
    abis.flatMap((abi) => platforms.map((platform) => `${python}-${abi}-${platform}`)),
  );
}

/**
 * Of the file names of one version, the one to install: best tag first, then the highest build tag.
 * Undefined when none fits. `ranks` are those of `tagRanks`.
 */
export function bestWheel(files: readonly string[], ranks: ReadonlyMap<string, number>): string | undefined {
  const fitting = files.flatMap((file) => {
    const wheel = parseWheelName(file);
    const rank = Math.min(...(wheel?.tags ?? []).map((tag) => ranks.get(tag) ?? Infinity));
    return wheel === undefined || rank === Infinity ? [] : [{ file, rank, build: wheel.build ?? ([-1, ''] as const) }];
  });
  const [best] = fitting.toSorted(
    (a, b) =>
      a.rank - b.rank || b.build[0] - a.build[0] || byteOrder(b.build[1], a.build[1]) || byteOrder(a.file, b.file),
  );
  return best?.file;
}

/** The normalised project of a wheel's file name. */
export function projectOf(file: string): string | undefined {
  return parseWheelName(file)?.name;
}
