import type { Json } from '../base/canonical-json.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { SourcePlace } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { pathText } from '../recipe/recipe-path-text.ts';
import { parseJson } from './json-text.ts';
import { lockfileSchema } from './lockfile-schema.ts';
import { FORMAT_VERSION, LOCK_VERSION, type Lockfile } from './lockfile.ts';

const HINT = 'restore it from version control, or remove it and run `rootcellar lock`';

/**
 * Reads a lockfile strictly. `file` is its name in error texts.
 * Throws E_LOCK_INVALID, and E_LOCK_NEWER when its `version` or `format` is beyond what this program knows.
 */
export function parseLockfile(text: string, file: string): Lockfile {
  const read = parseJson(text);
  if ('fault' in read) throw syntaxError(text, read.at, { fault: read.fault, file });
  refuseNewer(read.value, file);
  const result = lockfileSchema().safeParse(read.value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path ?? [];
  const where = path.length === 0 ? 'the lockfile' : pathText(path);
  throw invalid(file, `${where}: ${lowerCase(issue?.message ?? 'is wrong')}`);
}

function refuseNewer(value: Json, file: string): void {
  if (typeof value !== 'object' || value === null) return;
  const { version, format } = Object.assign({ version: undefined, format: undefined }, value);
  const newer = isAbove(version, LOCK_VERSION) ? 'version' : isAbove(format, FORMAT_VERSION) ? 'format' : undefined;
  if (newer === undefined) return;
  const known = newer === 'version' ? LOCK_VERSION : FORMAT_VERSION;
  const message = `${quotedWord(file)} has \`${newer}\` ${String(newer === 'version' ? version : format)}, this program knows ${known}`;
  throw new RootcellarError('E_LOCK_NEWER', message, { hint: 'install a newer version of rootcellar' });
}

function isAbove(value: unknown, known: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > known;
}

function syntaxError(
  text: string,
  at: number,
  what: { readonly fault: string; readonly file: string },
): RootcellarError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const place = { file: what.file, line, column: at - before.lastIndexOf('\n') };
  if (!/^(?:<{7}|={7}|>{7})/m.test(text)) return invalid(what.file, `not valid JSON: ${what.fault}`, place);
  const message = `${quotedWord(what.file)} has the marks of an unfinished merge`;
  return new RootcellarError('E_LOCK_INVALID', message, {
    place,
    hint: 'take either side, then run `rootcellar lock`',
  });
}

function invalid(file: string, fault: string, place?: SourcePlace): RootcellarError {
  return new RootcellarError('E_LOCK_INVALID', `${quotedWord(file)} cannot be read: ${fault}`, { place, hint: HINT });
}

function lowerCase(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
