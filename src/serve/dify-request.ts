import { scanJson } from './go-json-scan.ts';

/** One field of a request of dify-sandbox's API. */
interface Field {
  /** In JSON and in forms. */
  readonly name: string;
  readonly type: 'string' | 'bool';
  /** Its name in the service's own code, which its errors say; undefined: it may be left out. */
  readonly required?: string;
}

const LANGUAGE: Field = { name: 'language', type: 'string', required: 'Language' };

/** Of `/v1/sandbox/run`. */
export const RUN_FIELDS: readonly Field[] = [
  LANGUAGE,
  { name: 'code', type: 'string', required: 'Code' },
  { name: 'preload', type: 'string' },
  { name: 'enable_network', type: 'bool' },
];

/** Of everything below `/v1/sandbox/dependencies`. */
export const DEPENDENCY_FIELDS: readonly Field[] = [LANGUAGE];

/** What a client has sent. */
export interface RawRequest {
  readonly method: string;
  /** As it came; empty where there is none. */
  readonly contentType: string;
  /** Without `?`. */
  readonly query: string;
  readonly body: Buffer;
}

export type BoundRequest =
  | { readonly kind: 'bound'; readonly values: ReadonlyMap<string, string | boolean> }
  /** `message` in the words of dify-sandbox. */
  | { readonly kind: 'refused'; readonly message: string };

/** Reads a request as gin binds it: JSON or a form by the content type, and always a form where there is no body. */
export async function bindRequest(request: RawRequest, fields: readonly Field[]): Promise<BoundRequest> {
  const type = request.contentType.split(/[; ]/)[0]?.trim().toLowerCase() ?? '';
  // Written just so, it is JSON even where there can be no body.
  const isJson = request.contentType === JSON_TYPE || (type === JSON_TYPE && request.method !== 'GET');
  const read = isJson ? readJson(request.body, fields) : await readForm(request, type, fields);
  if (typeof read === 'string') return { kind: 'refused', message: read };
  const missing = fields.flatMap(({ name, required }) =>
    required === undefined || (read.get(name) ?? '') !== '' ? [] : [required],
  );
  if (missing.length === 0) return { kind: 'bound', values: read };
  return { kind: 'refused', message: missing.map(requiredText).join('\n') };
}

const JSON_TYPE = 'application/json';

type Values = ReadonlyMap<string, string | boolean>;

function requiredText(name: string): string {
  return `Key: '${name}' Error:Field validation for '${name}' failed on the 'required' tag`;
}

/** The error's text, or the values. Source: encoding/json, Decoder.Decode and Unmarshal. */
function readJson(body: Buffer, fields: readonly Field[]): Values | string {
  const scan = scanJson(body.toString('latin1'));
  if ('fault' in scan) return scan.fault;
  const value: unknown = JSON.parse(body.toString('utf8', 0, scan.end));
  if (value === null) return new Map();
  if (typeof value !== 'object' || Array.isArray(value)) {
    return `json: cannot unmarshal ${kindOf(value)} into Go value of type ${structText(fields)}`;
  }
  const values = new Map<string, string | boolean>();
  const faults: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    // Go finds fields whatever the case of their names is.
    const field = fields.find(({ name }) => name === key.toLowerCase());
    if (field === undefined || member === null) continue;
    const fits = field.type === 'bool' ? typeof member === 'boolean' : typeof member === 'string';
    if (fits && typeof member === 'string') values.set(field.name, wellFormed(member));
    else if (fits) values.set(field.name, member === true);
    else
      faults.push(`json: cannot unmarshal ${kindOf(member)} into Go struct field .${field.name} of type ${field.type}`);
  }
  return faults[0] ?? values;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Half of a surrogate pair becomes U+FFFD, in Go as in UTF-8. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** How Go names the type of a request. */
function structText(fields: readonly Field[]): string {
  const members = fields.map(({ name, type, required }) => {
    const title = name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const binding = required === undefined ? '' : ' binding:\\"required\\"';
    return `${title} ${type} "json:\\"${name}\\" form:\\"${name}\\"${binding}"`;
  });
  return `struct { ${members.join('; ')} }`;
}

/** Of the query and, where there is one, the body. The body wins. */
async function readForm(request: RawRequest, type: string, fields: readonly Field[]): Promise<Values | string> {
  const form = await bodyForm(request, type);
  const query = new URLSearchParams(request.query);
  const values = new Map<string, string | boolean>();
  for (const { name, type: kind } of fields) {
    const text = form.get(name) ?? query.get(name);
    if (text === null || text === undefined) continue;
    const flag = kind === 'bool' ? parseBool(text) : undefined;
    if (kind === 'bool' && flag === undefined) {
      return `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
    }
    values.set(name, flag ?? text);
  }
  return values;
}

async function bodyForm(request: RawRequest, type: string): Promise<ReadonlyMap<string, string>> {
  if (request.method === 'GET') return new Map();
  if (type === 'application/x-www-form-urlencoded') {
    return firstValues([...new URLSearchParams(request.body.toString('utf8'))]);
  }
  if (type !== 'multipart/form-data') return new Map();
  const headers = { 'content-type': request.contentType };
  const data = await new Response(request.body, { headers }).formData().catch(() => undefined);
  return firstValues([...(data ?? [])].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

function firstValues(pairs: readonly (readonly string[])[]): ReadonlyMap<string, string> {
  return new Map(pairs.toReversed().flatMap(([name, value]) => (name === undefined ? [] : [[name, value ?? '']])));
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['', '0', 'f', 'F', 'FALSE', 'false', 'False']);

/** Source: strconv.ParseBool; gin takes an empty field for false. */
function parseBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}
