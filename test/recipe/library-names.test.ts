import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { parseRecipe } from '../../src/recipe/recipe-reader.ts';
import type { RecipeDocument } from '../../src/recipe/recipe-schema.ts';

const BASE = 'name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\n';
const VOCABULARY = { profiles: ['python'], groups: [], syscalls: [] };

function read(lines: string): RecipeDocument {
  return parseRecipe(`${BASE}${lines}`, { file: 'recipe.yaml', vocabulary: VOCABULARY }).document;
}

function refusal(lines: string): string {
  try {
    read(lines);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ message, hint }) => `${message} (${hint})`).join('\n');
  }
}

describe('shared_objects', () => {
  it('takes sonames for every architecture, and maps for some, in byte order and each once', () => {
    const list = '[libz.so.1, libssl.so.3, { amd64: libz.so.1, arm64: libfoo.so.2 }, { amd64: ld-linux-x86-64.so.2 }]';
    expect(read(`shared_objects: ${list}`).sharedObjects).toEqual({
      amd64: ['ld-linux-x86-64.so.2', 'libssl.so.3', 'libz.so.1'],
      arm64: ['libfoo.so.2', 'libssl.so.3', 'libz.so.1'],
    });
  });

  it('is not there when the recipe has none', () => {
    expect(read('')).not.toHaveProperty('sharedObjects');
    expect(read('')).not.toHaveProperty('allowMissing');
  });

  it.each([
    ['[libssl]', '`shared_objects[0]` must be the soname of a library, without folders, got `"libssl"`'],
    ['[/usr/lib/libssl.so.3]', 'must be the soname of a library, without folders'],
    ['[libssl.so.3, libssl.so.3]', 'has `libssl.so.3` twice'],
    ['[{ i386: libssl.so.3 }]', 'unknown key `shared_objects[0].i386` (write one of `amd64`, `arm64`)'],
    ['[{}]', 'must have a soname for an architecture'],
    ['libssl.so.3', '`shared_objects` must be a list'],
  ])('refuses %s', (list, text) => {
    expect(refusal(`shared_objects: ${list}`)).toContain(text);
  });
});

describe('allow_missing', () => {
  it('takes names and patterns', () => {
    expect(read('allow_missing: [libGL.so.1, "libcuda*"]').allowMissing).toEqual(['libGL.so.1', 'libcuda*']);
  });

  it('refuses a pattern that would allow anything', () => {
    expect(refusal('allow_missing: ["*"]')).toContain('must be the name of a library');
  });
});
