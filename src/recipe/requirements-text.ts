import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import { parseRequirement } from './requirement-line.ts';

const MOST_REQUIREMENTS = 5000;
const LONGEST_LINE = 4096;
const MOST_PROBLEMS = 20;

/** Everything that is, or could pass for, a line break or an order of reading, besides `\n` and `\r\n`. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

/**
 * The requirements of a `python-requirements.txt`, in normal form (`numpy[a,b]<3,>=2; python_version < "3.14"`), in the order
 * of the file. Throws one error with the first 20 problems: E_REQUIREMENT_SYNTAX. Syntax: PEP 508, PEP 440, and pip's
 * "Requirements File Format" for comments and continued lines.
 */
export function parseRequirements(text: string, file: string): readonly string[] {
  const lines = logicalLines(text);
  if (lines.length > MOST_REQUIREMENTS) {
    throw new RootcellarError('E_REQUIREMENT_SYNTAX', `more than ${MOST_REQUIREMENTS} requirements`, {
      place: { file, line: lines[MOST_REQUIREMENTS]?.line ?? 1, column: 1 },
      hint: 'list only what you import; what that needs comes along',
    });
  }
  const requirements: string[] = [];
  const problems: Problem[] = [];
  for (const line of lines) {
    const parsed = parseLine(line);
    if (typeof parsed === 'string') requirements.push(parsed);
    else
      problems.push({
        code: 'E_REQUIREMENT_SYNTAX',
        message: parsed.fault,
        hint: parsed.hint,
        place: placeOf(line, parsed.at, file),
      });
    if (problems.length === MOST_PROBLEMS) break;
  }
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  return requirements;
}

/** One requirement's text, joined of its continued lines, without its comment. */
interface LogicalLine {
  readonly text: string;
  /** Of the first physical line, from 1. */
  readonly line: number;
  /** Offsets in `text` at which the second and later physical lines begin. */
  readonly breaks: readonly number[];
}

function logicalLines(text: string): readonly LogicalLine[] {
  const physical = (text.startsWith('\ufeff') ? text.slice(1) : text).split(/\r?\n/);
  const lines: LogicalLine[] = [];
  let joined = '';
  let breaks: number[] = [];
  for (const [index, raw] of physical.entries()) {
    const continues = raw.endsWith('\\') && !/^\s*#/.test(raw) && index < physical.length - 1;
    joined += continues ? raw.slice(0, -1) : raw;
    if (continues) {
      breaks.push(joined.length);
      continue;
    }
    if (joined.length > 0) lines.push({ text: joined, line: index + 1 - breaks.length, breaks });
    joined = '';
    breaks = [];
  }
  return lines.filter(
    (line) => withoutComment(line.text).trim() !== '' || HIDDEN.test(line.text.replaceAll('\t', ' ')),
  );
}

function parseLine(line: LogicalLine): string | { readonly fault: string; readonly hint: string; readonly at: number } {
  const hidden = HIDDEN.exec(line.text.replaceAll('\t', ' '));
  if (hidden !== null) {
    const code = (hidden[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return {
      fault: `a requirement holds the invisible character U+${code}`,
      hint: 'type the line again',
      at: hidden.index,
    };
  }
  if (line.text.length > LONGEST_LINE) {
    return { fault: `a line of more than ${LONGEST_LINE} characters`, hint: 'write one requirement a line', at: 0 };
  }
  return parseRequirement(withoutComment(line.text));
}

/** A `#` begins a comment at the start of a line and after white space. */
function withoutComment(text: string): string {
  const hash = /(?:^|\s)#/.exec(text);
  return hash === null ? text : text.slice(0, hash.index);
}

function placeOf(line: LogicalLine, at: number, file: string): { file: string; line: number; column: number } {
  const begun = line.breaks.filter((offset) => offset <= at);
  return { file, line: line.line + begun.length, column: at - (begun.at(-1) ?? 0) + 1 };
}
