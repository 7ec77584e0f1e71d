/** Tells whether updating just these packages does the harm. */
export type IsHarmful = (names: readonly string[]) => Promise<boolean>;

export interface CulpritSearch {
  /** Packages whose update does harm when all are updated together. */
  readonly names: readonly string[];
  /** Those among them that are tried alone first. */
  readonly suspects: readonly string[];
  readonly isHarmful: IsHarmful;
  /** How often `isHarmful` may be asked. */
  readonly mostTrials: number;
}

/**
 * The packages that do harm, by trying their updates apart: each element is a package, or several that do it only together.
 * Delta debugging: halves, then smaller parts, then what is left without them, until no part can be left out. When the
 * trials are used up, what was found by then is given, which may be more than it takes.
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.
 */
export async function findCulprits(search: CulpritSearch): Promise<readonly (readonly string[])[]> {
  const trials = boundedTrials(search);
  const culprits: (readonly string[])[] = [];
  let rest = search.names;
  for (const suspect of search.suspects.filter((name) => rest.includes(name))) {
    if (rest.length === 1 || !(await trials.isHarmful([suspect]))) continue;
    culprits.push([suspect]);
    rest = rest.filter((name) => name !== suspect);
  }
  while (rest.length > 0 && (culprits.length === 0 || (await trials.isHarmful(rest)))) {
    const found = await smallestHarmful(rest, trials.isHarmful);
    culprits.push(found);
    rest = rest.filter((name) => !found.includes(name));
  }
  return culprits;
}

/** No more than may be; an answer that is known is not asked for again. */
function boundedTrials({ isHarmful, mostTrials }: CulpritSearch): { readonly isHarmful: IsHarmful } {
  const known = new Map<string, boolean>();
  let left = mostTrials;
  return {
    isHarmful: async (names) => {
      const key = names.join('\0');
      const answer = known.get(key);
      if (answer !== undefined || left === 0) return answer ?? false;
      left -= 1;
      const found = await isHarmful(names);
      known.set(key, found);
      return found;
    },
  };
}

/** `names` do harm together: a part of them that does, of which nothing can be left out. */
async function smallestHarmful(names: readonly string[], isHarmful: IsHarmful): Promise<readonly string[]> {
  let harmful = names;
  let parts = 2;
  while (harmful.length > 1) {
    const smaller = await smallerHarmful(harmful, parts, isHarmful);
    if (smaller !== undefined) {
      parts = smaller.isPart ? 2 : Math.max(2, parts - 1);
      harmful = smaller.names;
    } else if (parts >= harmful.length) return harmful;
    else parts = Math.min(2 * parts, harmful.length);
  }
  return harmful;
}

interface Smaller {
  readonly names: readonly string[];
  readonly isPart: boolean;
}

async function smallerHarmful(
  names: readonly string[],
  parts: number,
  isHarmful: IsHarmful,
): Promise<Smaller | undefined> {
  const size = Math.ceil(names.length / parts);
  const starts = Array.from({ length: Math.ceil(names.length / size) }, (_, index) => index * size);
  for (const start of starts) {
    const part = names.slice(start, start + size);
    if (await isHarmful(part)) return { names: part, isPart: true };
  }
  if (parts === 2) return undefined;
  for (const start of starts) {
    const rest = [...names.slice(0, start), ...names.slice(start + size)];
    if (await isHarmful(rest)) return { names: rest, isPart: false };
  }
  return undefined;
}
