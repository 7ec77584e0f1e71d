import { isMap, isSeq, parseDocument } from 'yaml';
import type { Document, YAMLMap, YAMLSeq } from 'yaml';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson, type Json } from '../base/canonical-json.ts';

/** An element of `shared_objects`: for every architecture, or for one. */
export type AddedLibrary = string | Readonly<Partial<Record<Architecture, string>>>;

const KEY = 'shared_objects';

/**
 * The text of a `recipe.yaml` with more elements in `shared_objects`, in front of which or behind which nothing else is
 * changed: comments, order, quotes and line ends stay. Where the place is not one that we know how to write to, the whole
 * text is written anew, comments included. `text` must be a recipe that can be read.
 */
export function withSharedObjects(text: string, added: readonly AddedLibrary[]): string {
  const document = parseDocument(text);
  const spliced = splice(text, document, added);
  const wanted = expectedValue(document, added);
  if (spliced !== undefined && canonicalJson(valueOf(parseDocument(spliced))) === canonicalJson(wanted)) return spliced;
  if (isSeq(document.get(KEY))) for (const library of added) document.addIn([KEY], document.createNode(library));
  else document.set(KEY, document.createNode(wanted[KEY], { flow: true }));
  return document.toString({ lineWidth: 0 });
}

function splice(text: string, document: Document.Parsed, added: readonly AddedLibrary[]): string | undefined {
  const { contents } = document;
  if (!isMap(contents)) return undefined;
  const present: unknown = contents.get(KEY, true);
  if (isSeq(present)) return present.flow === true ? inFlow(text, present, added) : inBlock(text, present, added);
  return present === undefined ? asNewKey(text, contents, added) : undefined;
}

function inFlow(text: string, list: YAMLSeq, added: readonly AddedLibrary[]): string | undefined {
  const end = endOf(list.items.at(-1));
  return end === undefined ? undefined : insert(text, end, added.map((library) => `, ${itemText(library)}`).join(''));
}

function inBlock(text: string, list: YAMLSeq, added: readonly AddedLibrary[]): string | undefined {
  const last = list.items.at(-1);
  const start = rangeOf(last)?.[0];
  const end = endOf(last);
  if (start === undefined || end === undefined) return undefined;
  const indent = /^[ ]*(?=- )/.exec(text.slice(text.lastIndexOf('\n', start - 1) + 1))?.[0];
  if (indent === undefined) return undefined;
  return insert(text, lineEnd(text, end), added.map((one) => `${lineFeed(text)}${indent}- ${itemText(one)}`).join(''));
}

/** Behind `base`, where a reader looks for what the image holds. */
function asNewKey(text: string, map: YAMLMap, added: readonly AddedLibrary[]): string | undefined {
  const end = endOf(map.get('base', true));
  if (end === undefined) return undefined;
  const pair = `${KEY}: [${added.map(itemText).join(', ')}]`;
  if (map.flow === true) return insert(text, end, `, ${pair}`);
  return insert(text, lineEnd(text, end), `${lineFeed(text)}${pair}`);
}

function itemText(library: AddedLibrary): string {
  if (typeof library === 'string') return library;
  return `{ ${Object.entries(library)
    .map(([architecture, soname]) => `${architecture}: ${soname}`)
    .join(', ')} }`;
}

/** Behind the last character of a node that is no white space. */
function endOf(node: unknown): number | undefined {
  return rangeOf(node)?.[1];
}

function rangeOf(node: unknown): readonly number[] | undefined {
  const range: unknown = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && range.every((one) => typeof one === 'number') ? range : undefined;
}

function lineEnd(text: string, from: number): number {
  const end = /\s*$/.exec(text.slice(0, from))?.index ?? from;
  const feed = text.indexOf('\n', end);
  if (feed < 0) return text.length;
  return text[feed - 1] === '\r' ? feed - 1 : feed;
}

function lineFeed(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

function insert(text: string, at: number, more: string): string {
  return text.slice(0, at) + more + text.slice(at);
}

type JsonMap = { readonly [key: string]: Json };

function valueOf(document: Document.Parsed): JsonMap {
  const value: JsonMap = JSON.parse(JSON.stringify(document.toJS()));
  return value;
}

function expectedValue(document: Document.Parsed, added: readonly AddedLibrary[]): JsonMap {
  const value = valueOf(document);
  const list = value[KEY];
  return { ...value, [KEY]: [...(Array.isArray(list) ? list : []), ...added.map((one) => plain(one))] };
}

function plain(library: AddedLibrary): Json {
  return typeof library === 'string' ? library : { ...library };
}
