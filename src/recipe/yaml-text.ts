import { Composer, Lexer, LineCounter, Parser } from 'yaml';
import type { Document } from 'yaml';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { printable } from './quoted-value.ts';
import { locate, readValues } from './yaml-values.ts';

type Token = Parameters<Composer['next']>[0];

/** Deeper than any recipe. The library composes nodes by recursion and aborts the process when they nest too deep. */
const DEEPEST = 64;
const MOST_TOKENS = 50_000;
const MOST_SYNTAX_PROBLEMS = 20;
const LONGEST_MESSAGE = 200;

/** One YAML document as plain data that knows where each of its values stands. */
export interface YamlText {
  readonly value: unknown;
  /** Faults that leave the data readable: duplicate keys, keys that are not text, tags. */
  readonly problems: readonly Problem[];
  /** Where the value at `path` stands, or the nearest value around it. */
  valuePlace(path: readonly PropertyKey[]): SourcePlace;
  /** Where the key at `path` stands, or the nearest value around it. */
  keyPlace(path: readonly PropertyKey[]): SourcePlace;
}

/**
 * Reads one YAML 1.2 document of the core schema, without tags, directives and merge keys.
 * Time and memory are bounded for any text of up to 1 MiB. Throws E_RECIPE_SYNTAX.
 */
export function parseYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const place = (offset: number): SourcePlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  indexLines(text, lines);
  refuseControlCharacters(text, place);
  const contents = onlyDocument(compose(readTokens(text, place), text.length), place).contents;
  if (contents === null) throw syntaxError('the file is empty', place(0), 'write at least `name` and `base`');
  const { root, problems } = readValues(contents, place);
  return {
    value: root.value,
    problems,
    valuePlace: (path) => place(locate(root, path, 'value')),
    keyPlace: (path) => place(locate(root, path, 'key')),
  };
}

type Place = (offset: number) => SourcePlace;

function syntaxError(message: string, place: SourcePlace, hint: string): RootcellarError {
  return new RootcellarError('E_RECIPE_SYNTAX', message, { place, hint });
}

function indexLines(text: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
}

/** What YAML 1.2 calls not printable (section 5.1), which the library lets through. */
function refuseControlCharacters(text: string, place: Place): void {
  const found = /[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  if (found === null) return;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  throw syntaxError(
    `the character U+${code} is not allowed`,
    place(found.index),
    'remove it, or write it as an escape in double quotes',
  );
}

/** Splits into the tokens of a concrete syntax tree; stops early where they are too many or nest too deep. */
function readTokens(text: string, place: Place): Token[] {
  const parser = new Parser();
  const tokens: Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    count += 1 + escapesIn(lexeme);
    if (parser.stack.length > DEEPEST) {
      throw syntaxError('values are nested too deep', place(parser.offset), 'a recipe needs at most 6 levels');
    }
    if (count > MOST_TOKENS) {
      throw syntaxError(
        `more than ${MOST_TOKENS} YAML tokens and escapes`,
        place(parser.offset),
        'put large content into files of its own',
      );
    }
  }
  tokens.push(...parser.end());
  return tokens;
}

/** Counted because each wrong escape of a quoted text becomes an error object of the library. */
function escapesIn(lexeme: string): number {
  return lexeme.startsWith('"') ? lexeme.split('\\').length - 1 : 0;
}

interface Composed {
  readonly documents: readonly Document.Parsed[];
  /** Offset of the first `%` line. */
  readonly directive: number | undefined;
}

function compose(tokens: readonly Token[], length: number): Composed {
  const composer = new Composer({
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const directive = tokens.find((token) => token.type === 'directive');
  return { documents: [...composer.compose(tokens, true, length)], directive: directive?.offset };
}

function onlyDocument(composed: Composed, place: Place): Document.Parsed {
  const [document, second] = composed.documents;
  if (document === undefined) throw new Error('unreachable: YAML without a document');
  if (composed.directive !== undefined) {
    throw syntaxError(
      'YAML directives are not allowed',
      place(composed.directive),
      'remove the line that starts with `%`',
    );
  }
  const problems = document.errors.slice(0, MOST_SYNTAX_PROBLEMS).map((error): Problem => {
    return {
      code: 'E_RECIPE_SYNTAX',
      message: syntaxMessage(error.message),
      hint: hintFor(error.code),
      place: place(error.pos[0]),
    };
  });
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  if (second !== undefined) {
    throw syntaxError('a second YAML document begins here', place(second.range[0]), 'keep one document to a file');
  }
  return document;
}

function syntaxMessage(message: string): string {
  const line = printable(message.replaceAll(/\s+/g, ' '));
  const short = line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}…` : line;
  return `not valid YAML: ${short.charAt(0).toLowerCase()}${short.slice(1)}`;
}

function hintFor(code: string): string {
  if (code === 'TAB_AS_INDENT') return 'indent with spaces';
  if (code === 'BAD_INDENT') return 'indent the keys of one map by the same number of spaces';
  if (code === 'MISSING_CHAR') return 'check that quotes and brackets are closed, and that a key ends in `: `';
  return 'put the value into quotes, or correct the line';
}
