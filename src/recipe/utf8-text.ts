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

/** The text of a file that may be UTF-16 where a byte order mark says so, else UTF-8; without the mark. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const encoding = utf16Of(bytes);
  if (encoding === undefined) return decodeUtf8(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** As `brokenUtf8Place`, for what `decodeText` refuses. */
export function brokenTextPlace(bytes: Uint8Array): { readonly line: number; readonly column: number } {
  const encoding = utf16Of(bytes);
  if (encoding === undefined) return brokenUtf8Place(bytes);
  const before = new TextDecoder(encoding).decode(bytes).split('\ufffd')[0] ?? '';
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}
