import { valid } from '@renovatebot/pep440';
import { digestFromHex } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isAddress } from './address-text.ts';
import { quotedWord } from './quoted-value.ts';
import { NAME, normalName, parseExtras, readMarker, skipSpace } from './requirement-parts.ts';
import type { RequirementFault } from './requirement-parts.ts';
import type { DirectRequirement } from './requirement.ts';

const EXAMPLE = 'write for example `name @ https://HOST/name-1.0-py3-none-any.whl`';
const ARCHIVE = /\.(?:whl|zip|tgz|tbz|tar|tar\.(?:gz|bz2|xz|zst))$/i;

/**
 * Reads a requirement that is an address, a path or a repository, alone or after `name @`. Undefined: it is a plain one.
 * Source: PEP 508, and pip's "Requirement Specifiers" and "VCS Support".
 */
export function parseDirect(text: string): DirectRequirement | RequirementFault | undefined {
  const start = skipSpace(text, 0);
  const found = findReference(text, start);
  if (found === undefined || 'fault' in found) return found;
  const { end, marker: markerAt } = endOfReference(text, found.at);
  const marker = readMarker(text, markerAt);
  if (typeof marker === 'object') return marker;
  const bare = text.slice(found.at, end).trim();
  const [, core = bare, ownExtras] = /^([^[]+)\[([^[\]]*)\]$/.exec(bare) ?? [];
  const extras = found.extras ?? parseExtras(ownExtras ?? '', found.at);
  if (!Array.isArray(extras)) return extras;
  const reference = { core, name: found.name, extras, marker, at: found.at };
  if (/^[a-z]+\+/i.test(core)) return parseRepository(reference);
  return /^https?:/i.test(core) ? parseUrl(reference) : parsePath(reference);
}

interface Found {
  readonly name: string | undefined;
  readonly extras: string[] | undefined;
  /** Where the address or path begins. */
  readonly at: number;
}

function findReference(text: string, start: number): Found | RequirementFault | undefined {
  const line = text.slice(start);
  const [whole, name, list] = /^([A-Za-z0-9][A-Za-z0-9._-]*)[ \t]*(?:\[([^\]]*)\][ \t]*)?@[ \t]*/.exec(line) ?? [];
  if (whole !== undefined && name !== undefined && NAME.exec(name)?.[0] === name) {
    const extras = list === undefined ? undefined : parseExtras(list, start);
    if (extras !== undefined && !Array.isArray(extras)) return extras;
    const at = start + whole.length;
    if (/^(?:;|$)/.test(text.slice(at))) return { fault: 'there is no address after `@`', hint: EXAMPLE, at };
    return { name: normalName(name), extras: extras ?? [], at };
  }
  const isBare = /^[a-z][a-z0-9+.-]*:/i.test(line) || line.startsWith('git+');
  const isPath =
    /^[./~\\]/.test(line) || /^[^;<>=!~\s[]*[/\\]/.test(line) || ARCHIVE.test((line.split(';')[0] ?? '').trim());
  return isBare || isPath ? { name: undefined, extras: undefined, at: start } : undefined;
}

/** A `;` ends a path; in an address, where it may be part of a name, only one with white space beside it. */
function endOfReference(text: string, at: number): { readonly end: number; readonly marker: number } {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(text.slice(at));
  const match = (isUrl ? /[ \t];|;[ \t]/ : /;/).exec(text.slice(at));
  if (match === null) return { end: text.length, marker: text.length };
  return { end: at + match.index, marker: at + match.index + match[0].indexOf(';') };
}

interface Reference {
  readonly core: string;
  readonly name: string | undefined;
  readonly extras: readonly string[];
  readonly marker: string | undefined;
  readonly at: number;
}

function parseUrl(reference: Reference): DirectRequirement | RequirementFault {
  const { core, at, name, extras, marker } = reference;
  const [address = '', fragment = ''] = core.split(/#([^]*)/);
  if (!isAddress(address)) return { fault: 'the address cannot be read', hint: EXAMPLE, at };
  const path = address.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\?.*$/, '');
  const file = fileFacts(path.slice(path.lastIndexOf('/') + 1), fragment, reference);
  if ('fault' in file) return file;
  if (file.form === 'folder') return { fault: 'the address does not end in the name of a file', hint: EXAMPLE, at };
  return { kind: 'url', address, extras, marker, ...file, name: name ?? file.name };
}

function parsePath(reference: Reference): DirectRequirement | RequirementFault {
  const { core, at, name, extras, marker } = reference;
  const [text = '', fragment = ''] = core.split(/#([^]*)/);
  const path = localPath(text);
  const hint = 'put the file below the folder of the recipe and write for example `./wheels/name-1.0-py3-none-any.whl`';
  if (path === undefined || /[\\\s]/.test(path) || path.startsWith('~')) {
    return { fault: `the path ${quotedWord(text)} cannot be used`, hint, at };
  }
  const file = fileFacts(path.replace(/\/+$/, '').split('/').at(-1) ?? '', fragment, { ...reference, isPlain: true });
  return 'fault' in file ? file : { kind: 'path', path, extras, marker, ...file, name: name ?? file.name };
}

/** The path of `file:` addresses, which may be relative, and of paths. */
function localPath(text: string): string | undefined {
  const [, rest] = /^file:([^]*)$/i.exec(text) ?? [];
  if (rest === undefined) return /^[a-z][a-z0-9+.-]*:/i.test(text) ? undefined : text;
  const path = rest.replace(/^\/\/(?:localhost)?(?=\/)/i, '');
  return path === '' || path.startsWith('//') ? undefined : decoded(path);
}

interface FileFacts {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly file: string;
  readonly form: 'wheel' | 'source' | 'folder';
  readonly digest: Digest | undefined;
  readonly subdirectory: string | undefined;
}

function fileFacts(
  encoded: string,
  fragment: string,
  { at, name, isPlain = false }: Pick<Reference, 'at' | 'name'> & { readonly isPlain?: boolean },
): FileFacts | RequirementFault {
  const file = isPlain ? encoded : (decoded(encoded) ?? encoded);
  const parts = fragmentParts(fragment, at);
  if ('fault' in parts) return parts;
  if (!ARCHIVE.test(file)) return { ...parts, version: undefined, file, form: 'folder' };
  if (!/\.whl$/i.test(file)) return { ...parts, version: undefined, file, form: 'source' };
  const [, project, version] =
    /^([A-Za-z0-9][\w.]*)-([\w.!+]+)(?:-\d[\w.]*)?-[\w.]+-[\w.]+-[\w.]+\.whl$/.exec(file) ?? [];
  if (project === undefined || version === undefined || valid(version.replaceAll('_', '-')) === null) {
    const hint = 'give it the name that its builder gave it, such as `name-1.0-py3-none-any.whl`';
    return { fault: `${quotedWord(file)} is not the name of a wheel`, hint, at };
  }
  const own = normalName(project);
  if (name !== undefined && name !== own) {
    return { fault: `${quotedWord(file)} is a wheel of \`${own}\``, hint: `write \`${own} @ …\``, at };
  }
  return { ...parts, name: own, version: version.replaceAll('_', '-'), file, form: 'wheel' };
}

interface FragmentParts {
  readonly name: string | undefined;
  readonly digest: Digest | undefined;
  readonly subdirectory: string | undefined;
}

function fragmentParts(fragment: string, at: number): FragmentParts | RequirementFault {
  const pairs = new Map(
    fragment.split('&').map((part): [string, string] => {
      const [key = '', value = ''] = part.split(/=([^]*)/);
      return [key.toLowerCase(), decoded(value) ?? value];
    }),
  );
  const hash = pairs.get('sha256');
  const digest = hash === undefined ? undefined : digestFromHex(hash.toLowerCase());
  const hint = 'write `#sha256=` and 64 hex digits';
  if (hash !== undefined && digest === undefined) return { fault: 'its sha256 has not 64 hex digits', hint, at };
  const other = ['md5', 'sha1', 'sha224', 'sha384', 'sha512'].find((key) => pairs.has(key));
  if (digest === undefined && other !== undefined) return { fault: `a digest by ${other} is not supported`, hint, at };
  const subdirectory = pairs.get('subdirectory');
  if (subdirectory !== undefined && /^\/|(?:^|\/)\.\.(?:\/|$)|\\/.test(subdirectory)) {
    return { fault: 'its subdirectory leaves the source', hint: 'write for example `#subdirectory=python`', at };
  }
  const egg = NAME.exec(pairs.get('egg') ?? '')?.[0];
  return { name: egg === undefined ? undefined : normalName(egg), digest, subdirectory };
}

function parseRepository(reference: Reference): DirectRequirement | RequirementFault {
  const { core, at, name, extras, marker } = reference;
  const hint = 'write for example `name @ git+https://HOST/name.git@REVISION`';
  const [address = '', fragment = ''] = core.split(/#([^]*)/);
  const [, kind = '', root, path = ''] = /^([a-z]+)\+([a-z]+:\/\/[^/]*)([^]*)$/i.exec(address) ?? [];
  if (kind.toLowerCase() !== 'git' && root !== undefined) {
    return { fault: `repositories of ${quotedWord(kind)} are not supported`, hint, at };
  }
  const isSafe = /^(?:https?|ssh|git|file):\/\/(?!-)/i.test(root ?? '') && /^[\u0021-\u007e]*$/.test(address);
  const split = path.lastIndexOf('@');
  const revision = split < 0 ? undefined : path.slice(split + 1);
  if (root === undefined || !isSafe || path.length < 2 || revision?.startsWith('-') === true || revision === '') {
    return { fault: 'the address of the repository cannot be read', hint, at };
  }
  const parts = fragmentParts(fragment, at);
  if ('fault' in parts) return parts;
  const repository = `${root}${split < 0 ? path : path.slice(0, split)}`;
  return {
    kind: 'git',
    name: name ?? parts.name,
    extras,
    marker,
    repository,
    revision,
    subdirectory: parts.subdirectory,
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
