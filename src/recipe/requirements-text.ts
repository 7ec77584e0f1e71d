import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { parseRequirement } from './requirement-line.ts';
import { parseHashes, parseOptions } from './requirement-options.ts';
import type { RequirementsOption } from './requirement-options.ts';
import type { RequirementFault } from './requirement-parts.ts';
import type { PlacedRequirement } from './requirement.ts';

const MOST_REQUIREMENTS = 5000;
/** Room for the hashes of all files of a large project. */
const LONGEST_LINE = 65_536;
const MOST_PROBLEMS = 20;

/** Everything that is, or could pass for, a line break or an order of reading, besides `\n` and `\r\n`. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

/** What a requirements file says, line by line; the files that it includes are not read. */
export interface RequirementsText {
  readonly items: readonly RequirementsItem[];
  /** In the order of the file; at most 20. */
  readonly problems: readonly Problem[];
}

export type RequirementsItem =
  | ({ readonly kind: 'requirement' } & PlacedRequirement)
  | (Exclude<RequirementsOption, { readonly kind: 'editable' }> & { readonly place: SourcePlace });

/**
 * Reads a requirements or constraints file; `file` is its name in error texts. Syntax: PEP 508, PEP 440, and pip's
 * "Requirements File Format" for options, comments and continued lines.
 */
export function parseRequirements(text: string, file: string): RequirementsText {
  const lines = logicalLines(text);
  if (lines.length > MOST_REQUIREMENTS) {
    const place = { file, line: lines[MOST_REQUIREMENTS]?.line ?? 1, column: 1 };
    const hint = 'list only what you import; what that needs comes along';
    return { items: [], problems: [problemOf({ fault: `more than ${MOST_REQUIREMENTS} requirements`, hint }, place)] };
  }
  const items: RequirementsItem[] = [];
  const problems: Problem[] = [];
  for (const line of lines) {
    const parsed = parseLine(line, file);
    if ('fault' in parsed) problems.push(problemOf(parsed, placeOf(line, parsed.at, file)));
    else items.push(...parsed);
    if (problems.length === MOST_PROBLEMS) break;
  }
  return { items, problems };
}

function problemOf({ fault, hint }: Omit<RequirementFault, 'at'>, place: SourcePlace): Problem {
  return { code: 'E_REQUIREMENT_SYNTAX', message: fault, hint, place };
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
  // A form feed at either end of a line is a page break; elsewhere it could hide a line.
  const physical = (text.startsWith('\ufeff') ? text.slice(1) : text)
    .split(/\r?\n/)
    .map((line) => line.replace(/^[\f\t ]*\f/, '').replace(/\f[\f\t ]*$/, ''));
  const lines: LogicalLine[] = [];
  let joined = '';
  let breaks: number[] = [];
  for (const [index, raw] of physical.entries()) {
    const continues = raw.endsWith('\\') && !/^\s*#/.test(raw);
    joined += continues ? raw.slice(0, -1) : raw;
    // As in pip, the last line may end like one that goes on.
    if (continues && index < physical.length - 1) {
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

function parseLine(line: LogicalLine, file: string): readonly RequirementsItem[] | RequirementFault {
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
  const text = withoutComment(line.text);
  return /^[ \t]*-/.test(text) ? optionItems(text, line, file) : requirementItem(text, line, file);
}

function optionItems(text: string, line: LogicalLine, file: string): readonly RequirementsItem[] | RequirementFault {
  const options = parseOptions(text);
  if ('fault' in options) return options;
  const items: RequirementsItem[] = [];
  for (const option of options) {
    const place = placeOf(line, option.at, file);
    if (option.kind === 'editable') {
      const requirement = parseRequirement(option.value);
      if ('fault' in requirement) return { ...requirement, at: option.at };
      items.push({ kind: 'requirement', requirement, hashes: [], isEditable: true, place });
    } else items.push({ ...option, place });
  }
  return items;
}

/** White space and a `-` begin the options of a requirement, as pip has it. */
function requirementItem(
  text: string,
  line: LogicalLine,
  file: string,
): readonly RequirementsItem[] | RequirementFault {
  const option = /[ \t]--?[A-Za-z]/.exec(text);
  const end = option === null ? text.length : option.index;
  const requirement = parseRequirement(text.slice(0, end));
  if ('fault' in requirement) return requirement;
  const hashes = parseHashes(text.slice(end), end);
  if ('fault' in hashes) return hashes;
  const place = placeOf(line, text.length - text.trimStart().length, file);
  return [{ kind: 'requirement', requirement, hashes, isEditable: false, place }];
}

/** A `#` begins a comment at the start of a line and after white space. */
function withoutComment(text: string): string {
  const hash = /(?:^|\s)#/.exec(text);
  return hash === null ? text : text.slice(0, hash.index);
}

function placeOf(line: LogicalLine, at: number, file: string): SourcePlace {
  const begun = line.breaks.filter((offset) => offset <= at);
  return { file, line: line.line + begun.length, column: at - (begun.at(-1) ?? 0) + 1 };
}
