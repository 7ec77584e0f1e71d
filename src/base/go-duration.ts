const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** The longest that a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** Milliseconds of a duration as Go writes it, such as `30m` or `1h30m`; undefined: it is none. Source: time.ParseDuration. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?)([a-zµ]+)/g)];
  const sum = parts.reduce((total, [, amount, unit]) => total + Number(amount) * (UNITS.get(unit ?? '') ?? 0), 0);
  return Math.min(LONGEST_MS, sum);
}
