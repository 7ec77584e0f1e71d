import type { Json } from '../base/canonical-json.ts';
import { recipeJsonSchema } from './recipe-schema.ts';

/** The keys that a recipe may have in the map at `path`, in the order of the schema. */
export function recipeKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: Json | undefined = recipeJsonSchema();
  for (const name of path) {
    schema = alternatives(schema)
      .map(
        (one) =>
          member(member(one, 'properties'), String(name)) ??
          member(one, 'additionalProperties') ??
          member(one, 'items'),
      )
      .find((child) => typeof child === 'object');
  }
  return alternatives(schema).flatMap((one) => Object.keys(asMap(member(one, 'properties'))));
}

function alternatives(schema: Json | undefined): readonly Json[] {
  const list = member(schema, 'anyOf');
  return Array.isArray(list) ? list : [schema ?? {}];
}

function member(value: Json | undefined, name: string): Json | undefined {
  const map = asMap(value);
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

type JsonMap = { readonly [key: string]: Json | undefined };

function asMap(value: Json | undefined): JsonMap {
  return isMap(value) ? value : {};
}

function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
