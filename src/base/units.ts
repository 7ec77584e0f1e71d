const SIZES = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['KB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
]);

const DURATIONS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const QUANTITY = /^(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]{1,3})$/;

/** Bytes of a text such as `256MiB` or `1.5GB`. Undefined when it is no size with a unit, or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZES);
}

/** Milliseconds of a text such as `500ms`, `10s` or `7d`. Undefined when it is no duration with a unit. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATIONS);
}

export const SIZE_UNITS: string = [...SIZES.keys()].join(', ');
export const DURATION_UNITS: string = [...DURATIONS.keys()].join(', ');

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const [, amount, unit] = QUANTITY.exec(text) ?? [];
  const factor = units.get(unit ?? '');
  if (amount === undefined || factor === undefined) return undefined;
  const value = Number(amount) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A size for people: `0 B`, `1.5 MiB`, at most one decimal. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit] ?? ''}`;
}

/** A duration for people: `12 ms`, `3.4 s`, `2 min 5 s`, `6 h`, `1 d 12 h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h${hours * 60 === minutes ? '' : ` ${minutes % 60} min`}`;
  return `${Math.floor(hours / 24)} d${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`;
}
