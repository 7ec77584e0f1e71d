/** The text as one word of a shell, for hints that are typed: quoted where it holds more than plain characters. */
export function shellWord(text: string): string {
  return /^[\w.,:=@%+/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
