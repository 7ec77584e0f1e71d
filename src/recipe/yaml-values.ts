import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, YAMLMap, YAMLSeq } from 'yaml';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { quotedWord } from './quoted-value.ts';

/** What the values may weigh after all aliases are followed: their characters, and `NODE_WEIGHT` for each node. */
const HEAVIEST = 4 * 1024 ** 2;
const NODE_WEIGHT = 16;

/**
 * Turns composed YAML nodes into plain data. The nodes must nest at most some hundred levels: this works by recursion.
 * Throws E_RECIPE_SYNTAX for aliases that are unknown, contain themselves, or make the data too large.
 */
export function readValues(contents: Node, place: (offset: number) => SourcePlace): ReadValues {
  const reading: Reading = { place, anchors: new Map(), problems: [], weight: 0 };
  return { root: readNode(contents, reading), problems: reading.problems };
}

export interface ReadValues {
  readonly root: Located;
  /** Duplicate keys, keys that are not text, tags. */
  readonly problems: readonly Problem[];
}

/** A value, where it stands, and the same of all that it holds. */
export interface Located {
  readonly value: unknown;
  readonly offset: number;
  readonly weight: number;
  readonly children: ReadonlyMap<PropertyKey, { readonly keyOffset: number; readonly located: Located }>;
}

interface Reading {
  readonly place: (offset: number) => SourcePlace;
  /** `undefined` while the anchored value is still being read. */
  readonly anchors: Map<string, Located | undefined>;
  readonly problems: Problem[];
  weight: number;
}

function readNode(node: Node | null, reading: Reading): Located {
  if (isAlias(node)) return readAlias(node, reading);
  const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
  if (anchor !== undefined) reading.anchors.set(anchor, undefined);
  const before = reading.weight;
  addWeight(NODE_WEIGHT, offsetOf(node), reading);
  refuseTag(node, reading);
  const content = readContent(node, reading);
  const located = { ...content, offset: offsetOf(node), weight: reading.weight - before };
  if (anchor !== undefined) reading.anchors.set(anchor, located);
  return located;
}

function readContent(node: Node | null, reading: Reading): Pick<Located, 'value' | 'children'> {
  if (isMap(node)) return readMap(node, reading);
  if (isSeq(node)) return readSequence(node, reading);
  const value: unknown = isScalar(node) ? node.value : null;
  if (typeof value === 'string') addWeight(value.length, offsetOf(node), reading);
  return { value, children: new Map() };
}

/** An alias shares the value that its anchor has: nothing is copied, but all of it counts again. */
function readAlias(alias: Alias, reading: Reading): Located {
  const target = reading.anchors.get(alias.source);
  const offset = offsetOf(alias);
  if (target === undefined) {
    const fault = reading.anchors.has(alias.source) ? 'contains itself' : 'has no anchor before it';
    const message = `the alias ${quotedWord(`*${alias.source}`)} ${fault}`;
    throw new RootcellarError('E_RECIPE_SYNTAX', message, {
      place: reading.place(offset),
      hint: 'write the value out',
    });
  }
  addWeight(target.weight, offset, reading);
  return { ...target, offset };
}

function readMap(map: YAMLMap, reading: Reading): Pick<Located, 'value' | 'children'> {
  const children = new Map<PropertyKey, { readonly keyOffset: number; readonly located: Located }>();
  for (const pair of map.items) {
    const key = readKey(pair.key, reading);
    const located = readNode(nodeOf(pair.value), reading);
    if (key === undefined) continue;
    const first = children.get(key.text);
    if (first === undefined) children.set(key.text, { keyOffset: key.offset, located });
    else {
      const message = `the key ${quotedWord(key.text)} is there already, in line ${reading.place(first.keyOffset).line}`;
      addProblem(reading, { message, offset: key.offset, hint: 'remove one of the two' });
    }
  }
  const value = Object.fromEntries([...children].map(([key, child]) => [key, child.located.value]));
  return { value, children };
}

function readSequence(sequence: YAMLSeq, reading: Reading): Pick<Located, 'value' | 'children'> {
  const elements = sequence.items.map((item) => readNode(nodeOf(item), reading));
  const children = elements.map((located, index) => [index, { keyOffset: located.offset, located }] as const);
  return { value: elements.map((element) => element.value), children: new Map(children) };
}

/** The text of a key; a problem and undefined for any other key, and for the one that is no plain member in JavaScript. */
function readKey(key: unknown, reading: Reading): { readonly text: string; readonly offset: number } | undefined {
  const node = nodeOf(key);
  const offset = offsetOf(node);
  addWeight(NODE_WEIGHT, offset, reading);
  if (!isScalar(node) || typeof node.value !== 'string') {
    addProblem(reading, { message: 'a key must be text', offset, hint: 'put the key into quotes' });
    return undefined;
  }
  addWeight(node.value.length, offset, reading);
  refuseTag(node, reading);
  if (node.value !== '__proto__') return { text: node.value, offset };
  reading.problems.push({
    code: 'E_RECIPE_KEY',
    message: 'unknown key `__proto__`',
    hint: 'remove it',
    place: reading.place(offset),
  });
  return undefined;
}

function refuseTag(node: Node | null, reading: Reading): void {
  if (node?.tag === undefined) return;
  addProblem(reading, {
    message: `the tag ${quotedWord(node.tag)} is not allowed`,
    offset: offsetOf(node),
    hint: 'remove the tag',
  });
}

interface Fault {
  readonly message: string;
  readonly offset: number;
  readonly hint: string;
}

function addProblem(reading: Reading, fault: Fault): void {
  const { message, offset, hint } = fault;
  reading.problems.push({ code: 'E_RECIPE_SYNTAX', message, hint, place: reading.place(offset) });
}

function addWeight(weight: number, offset: number, reading: Reading): void {
  reading.weight += weight;
  if (reading.weight <= HEAVIEST) return;
  throw new RootcellarError('E_RECIPE_SYNTAX', 'aliases make the recipe too large', {
    place: reading.place(offset),
    hint: 'write values out instead of nesting aliases',
  });
}

/** Offset of what stands at `path`, or of the nearest value around it. */
export function locate(root: Located, path: readonly PropertyKey[], what: 'key' | 'value'): number {
  let located = root;
  let keyOffset = root.offset;
  for (const name of path) {
    const child = located.children.get(name);
    if (child === undefined) return located.offset;
    ({ keyOffset, located } = child);
  }
  return what === 'key' ? keyOffset : located.offset;
}

function nodeOf(item: unknown): Node | null {
  return isMap(item) || isSeq(item) || isScalar(item) || isAlias(item) ? item : null;
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}
