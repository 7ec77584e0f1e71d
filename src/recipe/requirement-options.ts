import { closestWord } from '../base/closest-word.ts';
import { digestFromHex } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isAddress } from './address-text.ts';
import { quotedWord } from './quoted-value.ts';
import type { RequirementFault } from './requirement-parts.ts';

/** One option of a requirements file that says how to resolve, or which file goes on. `at` is its offset in the line. */
export type RequirementsOption =
  | { readonly kind: 'include'; readonly path: string; readonly isConstraint: boolean; readonly at: number }
  | { readonly kind: 'editable'; readonly value: string; readonly at: number }
  | { readonly kind: 'setting'; readonly name: SettingName; readonly value: string; readonly at: number }
  | { readonly kind: 'flag'; readonly name: FlagName; readonly at: number };

export type SettingName = 'index-url' | 'extra-index-url' | 'find-links' | 'trusted-host';
export type FlagName = 'no-index' | 'pre' | 'require-hashes' | 'none';

type Take = (value: string, at: number) => RequirementsOption | RequirementFault;

const setting =
  (name: SettingName): Take =>
  (value, at) => ({ kind: 'setting', name, value, at });
const include =
  (isConstraint: boolean): Take =>
  (path, at) => ({ kind: 'include', path, isConstraint, at });
const editable: Take = (value, at) => ({ kind: 'editable', value, at });
const address =
  (name: SettingName): Take =>
  (value, at) => {
    if (isAddress(value)) return { kind: 'setting', name, value, at };
    return { fault: `\`--${name}\` is no address`, hint: 'write an address that starts with `https://`', at };
  };
const nothing: Take = (_value, at) => ({ kind: 'flag', name: 'none', at });
const noBinary: Take = (value, at) => {
  if (value === ':none:') return nothing(value, at);
  const hint = value.startsWith(':')
    ? 'remove it, and name the packages to build in `python.build_from_source`'
    : `remove it, and write \`build_from_source: [${value.replaceAll(/[^\w.,-]/g, '').replaceAll(',', ', ')}]\` below \`python\` in the recipe`;
  return { fault: '`--no-binary` is not supported: packages are built when the recipe names them', hint, at };
};

/** With a value. Source: pip's "Requirements File Format", "Supported options". */
const VALUED: ReadonlyMap<string, Take> = new Map([
  ['-r', include(false)],
  ['--requirement', include(false)],
  ['-c', include(true)],
  ['--constraint', include(true)],
  ['-e', editable],
  ['--editable', editable],
  ['-i', address('index-url')],
  ['--index-url', address('index-url')],
  ['--pypi-url', address('index-url')],
  ['--extra-index-url', address('extra-index-url')],
  ['-f', setting('find-links')],
  ['--find-links', setting('find-links')],
  ['--trusted-host', setting('trusted-host')],
  ['--only-binary', nothing],
  ['--no-binary', noBinary],
]);

const FLAGS: ReadonlyMap<string, FlagName> = new Map([
  ['--no-index', 'no-index'],
  ['--pre', 'pre'],
  ['--require-hashes', 'require-hashes'],
  ['--prefer-binary', 'none'],
]);

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['--global-option', 'remove it: nothing is compiled with options of its own'],
  ['--config-settings', 'remove it: nothing is compiled with options of its own'],
  ['-C', 'remove it: nothing is compiled with options of its own'],
  ['--use-feature', 'remove it'],
  ['--hash', 'write it after a requirement, such as `name==1.0 --hash=sha256:…`'],
]);

/** All options of a line that has nothing else. */
export function parseOptions(text: string): readonly RequirementsOption[] | RequirementFault {
  const words = wordsOf(text);
  if (!Array.isArray(words)) return words;
  const options: RequirementsOption[] = [];
  for (let next = 0; next < words.length; next += 1) {
    const word = words[next];
    if (word === undefined) break;
    const { name, value } = splitOption(word.text);
    const take = VALUED.get(name);
    const flag = FLAGS.get(name);
    if (flag !== undefined && value === undefined) options.push({ kind: 'flag', name: flag, at: word.at });
    else if (take === undefined) return unknownOption(word);
    else {
      const own = value ?? words[(next += 1)]?.text;
      if (own === undefined || own === '') {
        return { fault: `the option \`${name}\` has no value`, hint: `write \`${name} VALUE\``, at: word.at };
      }
      const option = take(own, word.at);
      if ('fault' in option) return option;
      options.push(option);
    }
  }
  return options;
}

/** The `--hash` options after a requirement; only sha256 counts, as no lockfile has another. */
export function parseHashes(text: string, start: number): readonly Digest[] | RequirementFault {
  const words = wordsOf(text);
  if (!Array.isArray(words)) return { ...words, at: start + words.at };
  const digests: Digest[] = [];
  let others: { readonly algorithm: string; readonly at: number } | undefined;
  for (let next = 0; next < words.length; next += 1) {
    const word = words[next];
    if (word === undefined) break;
    const at = start + word.at;
    const { name, value } = splitOption(word.text);
    if (name !== '--hash') return { ...unknownOption(word), at };
    const hash = value ?? words[(next += 1)]?.text ?? '';
    const [algorithm = '', hex = ''] = hash.split(/:([^]*)/);
    const digest = algorithm === 'sha256' ? digestFromHex(hex) : undefined;
    const isOther = /^(?:sha384|sha512)$/.test(algorithm) && /^[0-9a-f]{96,128}$/i.test(hex);
    if (digest !== undefined) digests.push(digest);
    else if (isOther) others = { algorithm, at };
    else return { fault: `${quotedWord(hash)} is not a digest`, hint: 'write `--hash=sha256:` and 64 hex digits', at };
  }
  if (digests.length > 0 || others === undefined) return [...new Set(digests)];
  const fault = `a digest by ${others.algorithm} alone is not supported`;
  return { fault, hint: 'add `--hash=sha256:…` of the same file', at: others.at };
}

interface Word {
  readonly text: string;
  readonly at: number;
}

function splitOption(word: string): { readonly name: string; readonly value: string | undefined } {
  const [, name = word, value] = word.startsWith('--')
    ? (/^(--[^=]*)=([^]*)$/.exec(word) ?? [])
    : (/^(-.)([^]+)$/.exec(word) ?? []);
  return { name, value };
}

function unknownOption({ text, at }: Word): RequirementFault {
  const { name } = splitOption(text);
  if (!name.startsWith('-')) {
    return { fault: `${quotedWord(text)} is too much after an option`, hint: 'write it on a line of its own', at };
  }
  const known = [...VALUED.keys(), ...FLAGS.keys()].filter((one) => one.startsWith('--'));
  const meant = name.length > 3 ? (known.find((one) => one.startsWith(name)) ?? closestWord(name, known)) : undefined;
  const hint = REFUSED.get(name) ?? (meant === undefined ? 'remove it' : `did you mean \`${meant}\`?`);
  return { fault: `the option ${quotedWord(name)} is not supported`, hint, at };
}

/** Words as a shell splits them: quotes and backslashes keep white space. */
function wordsOf(text: string): Word[] | RequirementFault {
  const words: Word[] = [];
  const pattern = /[ \t]*((?:[^ \t'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)/y;
  let at = 0;
  const end = text.trimEnd().length;
  while (at < end) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match?.[1] === undefined) {
      return {
        fault: 'a quote is not closed',
        hint: 'close it, or remove it',
        at: at + (/\S/.exec(text.slice(at))?.index ?? 0),
      };
    }
    words.push({ text: unquoted(match[1]), at: pattern.lastIndex - match[1].length });
    at = pattern.lastIndex;
  }
  return words;
}

function unquoted(word: string): string {
  return word
    .split(/('[^']*'|"(?:[^"\\]|\\.)*")/)
    .map((part) => {
      if (part.startsWith("'")) return part.slice(1, -1);
      if (part.startsWith('"')) return part.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
      return part.replaceAll(/\\(.)/g, '$1');
    })
    .join('');
}
