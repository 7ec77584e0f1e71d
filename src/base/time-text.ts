/** A point in time as ISO 8601 in UTC, to the second: `2026-11-14T03:58:38Z`. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** Reads what `timeText` writes. */
export function parseTime(text: string): number | undefined {
  const milliseconds = Date.parse(text);
  const seconds = Math.floor(milliseconds / 1000);
  return Number.isNaN(milliseconds) || seconds < 0 || timeText(seconds) !== text ? undefined : seconds;
}
