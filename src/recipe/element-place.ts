import type { SourcePlace } from '../base/rootcellar-error.ts';
import { readBoundedFile } from './bounded-file.ts';
import { decodeUtf8 } from './utf8-text.ts';
import { parseYaml } from './yaml-text.ts';

const LARGEST_TEXT = 1024 ** 2;

/** Where in a recipe's file the element `value` of the list at `path` stands; undefined when it is not there any more. */
export async function elementPlace(
  file: string,
  path: readonly string[],
  value: string,
): Promise<SourcePlace | undefined> {
  const result = await readBoundedFile(file, LARGEST_TEXT);
  const text = result.kind === 'content' ? decodeUtf8(result.content) : undefined;
  if (text === undefined) return undefined;
  const yaml = parseYaml(text, file);
  const list = path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), yaml.value);
  const index = Array.isArray(list) ? list.indexOf(value) : -1;
  return index < 0 ? undefined : yaml.valuePlace([...path, index]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
