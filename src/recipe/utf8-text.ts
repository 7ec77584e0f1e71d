/** The text of `bytes`, without a byte order mark; undefined when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Line and column, from 1, of the first byte that is no UTF-8; the column counts characters. */
export function brokenUtf8Place(bytes: Uint8Array): { readonly line: number; readonly column: number } {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let line = 1;
  for (let start = 0; start < whole.length; line += 1) {
    const feed = whole.indexOf(0x0a, start);
    const end = feed < 0 ? whole.length : feed;
    const text = whole.subarray(start, end);
    if (decodeUtf8(text) === undefined) return { line, column: text.toString('utf8').indexOf('\ufffd') + 1 };
    start = end + 1;
  }
  return { line, column: 1 };
}
