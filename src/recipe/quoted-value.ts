const LONGEST_SHOWN = 60;

/** Characters that JSON leaves alone but that would break a line or hide or reorder text on a terminal. */
const UNPRINTABLE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff]/gu;

/** A value of a user's file as error texts show it: in backticks, one line, printable, at most about 60 characters. */
export function quotedValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `\`${printable(JSON.stringify(shortened(value)))}\``;
  return typeof value === 'number' || typeof value === 'boolean' ? `\`${value}\`` : 'a map';
}

/** What completes the sentence "`some.key` …" where a value is another one than is expected. */
export function mustBe(expected: string, input: unknown): string {
  return `must be ${expected}, got ${quotedValue(input)}`;
}

/** A word of a user's file in backticks, without quotes: for keys and names. */
export function quotedWord(word: string): string {
  return `\`${printable(JSON.stringify(shortened(word)).slice(1, -1))}\``;
}

function shortened(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** Replaces what cannot be seen by its `\u` escape. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
