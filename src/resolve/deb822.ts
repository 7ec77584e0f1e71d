import { StringDecoder } from 'node:string_decoder';

/** Fields of one stanza, by lower-case name. Continuation lines are kept, joined by line feeds, without their first blank. */
export type Stanza = ReadonlyMap<string, string>;

const LONGEST_STANZA = 4 * 1024 ** 2;

/**
 * Reads a whole control file: stanzas separated by blank lines; `#` starts a comment line; of a repeated field the last
 * one counts. A line that is neither field nor continuation is skipped.
 * Source: Debian Policy §5.1 and deb822(5).
 */
export function parseDeb822(text: string): readonly Stanza[] {
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n(?:[ \t]*\n)+/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

/** Reads the fields of one stanza. */
export function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) {
      if (current !== undefined) fields.set(current, `${fields.get(current) ?? ''}\n${line.slice(1).trimEnd()}`);
      continue;
    }
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    current = name?.toLowerCase();
    if (current !== undefined) fields.set(current, (value ?? '').trimEnd());
  }
  return fields;
}

/** The words of a field that lists some, separated by blanks or line feeds. */
export function wordsOf(stanza: Stanza, field: string): readonly string[] {
  return (stanza.get(field.toLowerCase()) ?? '').split(/\s+/).filter((word) => word !== '');
}

/**
 * Splits a long control file, such as Packages, into the texts of its stanzas without holding it whole.
 * Throws when one stanza is longer than 4 MiB.
 */
export async function* stanzaTexts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    let start = 0;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n', start)) {
      if (end > start) yield rest.slice(start, end);
      start = end + 2;
    }
    rest = rest.slice(start);
    if (rest.length > LONGEST_STANZA) throw new RangeError('a stanza of more than 4 MiB');
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield rest;
}
