/** One alternative of a relation field, such as `libssl3 (<< 3.3.1-5)`. */
export interface DebRelation {
  readonly name: string;
  readonly operator?: string;
  readonly version?: string;
}

/**
 * The fields of a control file's first paragraph, by lower-case name; of a field given twice the first. Lines of a
 * folded field stay joined by line feeds. Source: Debian Policy, 5.1.
 */
export function parseControl(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of text.split('\n')) {
    if (line.trim() === '') {
      if (fields.size > 0) break;
      continue;
    }
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (/^[ \t]/.test(line) && current !== undefined)
      fields.set(current, `${fields.get(current) ?? ''}\n${line.trim()}`);
    else if (name !== undefined) current = add(fields, name.toLowerCase(), value ?? '');
  }
  return fields;
}

function add(fields: Map<string, string>, name: string, value: string): string {
  if (!fields.has(name)) fields.set(name, value.trimEnd());
  return name;
}

/** The packages of a relation field such as `Replaces`. What is no relation is left out. Source: Debian Policy, 7.1. */
export function parseRelations(field: string): readonly DebRelation[] {
  return field.split(',').flatMap((text): DebRelation[] => {
    const [, name, operator, version] =
      /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?\s*$/.exec(text) ?? [];
    if (name === undefined) return [];
    return [operator === undefined || version === undefined ? { name } : { name, operator, version }];
  });
}

/** Whether a package of this name and version is one that the relation speaks of. */
export function isMeant(relation: DebRelation, name: string, version: string): boolean {
  if (relation.name !== name) return false;
  if (relation.operator === undefined || relation.version === undefined) return true;
  const order = compareDebVersions(version, relation.version);
  switch (relation.operator) {
    case '<<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    default:
      return order > 0;
  }
}

/** Negative, zero or positive, as dpkg orders versions. Source: deb-version(7), "Sorting algorithm". */
export function compareDebVersions(a: string, b: string): number {
  const [epochA, upstreamA, revisionA] = splitVersion(a);
  const [epochB, upstreamB, revisionB] = splitVersion(b);
  return epochA - epochB || comparePart(upstreamA, upstreamB) || comparePart(revisionA, revisionB);
}

function splitVersion(version: string): readonly [number, string, string] {
  const [, epoch, rest] = /^(?:(\d+):)?(.*)$/.exec(version) ?? [];
  const text = rest ?? version;
  const dash = text.lastIndexOf('-');
  return [Number(epoch ?? 0), dash < 0 ? text : text.slice(0, dash), dash < 0 ? '' : text.slice(dash + 1)];
}

/** Compares stretches of non-digits and of digits by turns. */
function comparePart(a: string, b: string): number {
  const pattern = /(\D*)(\d*)/y;
  let [restA, restB] = [a, b];
  while (restA !== '' || restB !== '') {
    const [wholeA, textA, digitsA] = match(pattern, restA);
    const [wholeB, textB, digitsB] = match(pattern, restB);
    const order = compareText(textA, textB) || compareDigits(digitsA, digitsB);
    if (order !== 0) return order;
    restA = restA.slice(wholeA);
    restB = restB.slice(wholeB);
  }
  return 0;
}

function match(pattern: RegExp, text: string): readonly [number, string, string] {
  pattern.lastIndex = 0;
  const [whole, letters, digits] = pattern.exec(text) ?? [];
  return [whole?.length ?? 0, letters ?? '', digits ?? ''];
}

function compareText(a: string, b: string): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const order = weight(a[index]) - weight(b[index]);
    if (order !== 0) return order;
  }
  return 0;
}

/** A tilde comes before the end, the end before letters, letters before everything else. */
function weight(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}

function compareDigits(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (x.length !== y.length) return x.length - y.length;
  if (x === y) return 0;
  return x < y ? -1 : 1;
}
