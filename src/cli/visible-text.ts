/** What a terminal obeys instead of showing, besides `\n` and `\t`, and what changes the order of reading. */
const OBEYED = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text with every control character shown as `\u{1b}`: names in artifacts are whatever their authors wrote. */
export function visibleText(text: string): string {
  return text.replaceAll(OBEYED, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for what has to stay on its line, such as a path. */
export function visibleWord(text: string): string {
  return visibleText(text).replaceAll(/[\n\t]/g, (char) => `\\u{${char === '\n' ? 'a' : '9'}}`);
}
