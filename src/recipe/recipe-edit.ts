import { isMap, isScalar, isSeq, parseDocument, type Node, type YAMLMap, type YAMLSeq } from 'yaml';

/**
 * The text of a recipe with `elements` at the end of the list at `path`, which is made when it is missing. Nothing else of
 * the text changes: comments and the way it is written stay. Elements that are there already are left out.
 * The text must be an acceptable recipe. Undefined where the list is written in a way that this cannot add to, such as an alias.
 */
export function withListElements(
  text: string,
  path: readonly string[],
  elements: readonly string[],
): string | undefined {
  const { contents } = parseDocument(text);
  return isMap(contents) ? addedBelow(text, contents, { path, elements }) : undefined;
}

interface Addition {
  readonly path: readonly string[];
  readonly elements: readonly string[];
}

function addedBelow(text: string, map: YAMLMap, { path, elements }: Addition): string | undefined {
  const [key = '', ...rest] = path;
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key);
  if (pair === undefined) return withNewKey(text, map, { path, elements });
  const { value } = pair;
  if (rest.length > 0) return isMap(value) ? addedBelow(text, value, { path: rest, elements }) : undefined;
  return isSeq(value) ? withAppended(text, value, elements) : undefined;
}

function withAppended(text: string, list: YAMLSeq, elements: readonly string[]): string | undefined {
  const present = new Set(list.items.map((item) => (isScalar(item) ? item.value : undefined)));
  const added = [...new Set(elements)].filter((element) => !present.has(element)).map(quoted);
  if (added.length === 0) return text;
  const last = list.items.at(-1);
  if (list.flow === true) {
    const at = isNode(last) ? endOf(last) : startOf(list) + 1;
    return inserted(text, at, `${last === undefined ? '' : ', '}${added.join(', ')}`);
  }
  if (!isNode(last)) return undefined;
  // The first element stands behind its dash, as deep as all others.
  const dash = text.lastIndexOf('-', startOf(list.items[0]));
  const indent = ' '.repeat(columnOf(text, dash));
  return inserted(text, lineEnd(text, endOf(last)), added.map((element) => `\n${indent}- ${element}`).join(''));
}

/** A new key at the end of a map, with all that is missing of the path below it. */
function withNewKey(text: string, map: YAMLMap, { path, elements }: Addition): string | undefined {
  const list = `[${[...new Set(elements)].map(quoted).join(', ')}]`;
  if (elements.length === 0) return text;
  const last = map.items.at(-1)?.value;
  if (map.flow === true) {
    const member = path
      .toReversed()
      .reduce((inner, key) => `${key}: ${inner.startsWith('[') ? inner : `{ ${inner} }`}`, list);
    const at = isNode(last) ? endOf(last) : startOf(map) + 1;
    return inserted(text, at, `${map.items.length === 0 ? ' ' : ', '}${member}${map.items.length === 0 ? ' ' : ''}`);
  }
  if (!isNode(last)) return undefined;
  const indent = columnOf(text, startOf(map.items[0]?.key));
  const lines = path.map((key, depth) => {
    const tail = depth === path.length - 1 ? ` ${list}` : '';
    return `\n${' '.repeat(indent + 2 * depth)}${key}:${tail}`;
  });
  return inserted(text, lineEnd(text, endOf(last)), lines.join(''));
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'range' in value;
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

/** Where the last character of a value stands; a block ends with its last value, not with the blank lines after it. */
function endOf(node: Node): number {
  const last = lastValue(node);
  return isNode(last) ? endOf(last) : (node.range?.[1] ?? 0);
}

function lastValue(node: Node): unknown {
  if (isSeq(node)) return node.flow === true ? undefined : node.items.at(-1);
  return isMap(node) && node.flow !== true ? node.items.at(-1)?.value : undefined;
}

function lineEnd(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end;
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf('\n', offset - 1) + 1);
}

function inserted(text: string, at: number, addition: string): string {
  return text.slice(0, at) + addition + text.slice(at);
}

/** `@` begins no plain scalar. */
function quoted(element: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.+-]*$/.test(element) ? element : JSON.stringify(element);
}
