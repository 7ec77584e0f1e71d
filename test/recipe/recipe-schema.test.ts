import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { recipeKeys } from '../../src/recipe/recipe-keys.ts';
import { recipeJsonSchemaText } from '../../src/recipe/recipe-schema.ts';

it('recipeJsonSchemaText() is what recipes/recipe.schema.json holds (else: npm run build && node scripts/generate-schema.mjs)', () => {
  const file = new URL('../../recipes/recipe.schema.json', import.meta.url);
  expect(recipeJsonSchemaText()).toBe(readFileSync(file, 'utf8'));
});

it('recipeKeys() gives the keys of each map', () => {
  expect(recipeKeys([])).toEqual([
    'name',
    'architectures',
    'base',
    'shared_objects',
    'allow_missing',
    'python',
    'files',
    'trim',
    'sandbox',
    'refresh',
  ]);
  expect(recipeKeys(['shared_objects', 0])).toEqual(['amd64', 'arm64']);
  expect(recipeKeys(['base', 'debian'])).toEqual(['suite', 'packages', 'mirror', 'components']);
  expect(recipeKeys(['files', '/etc/x'])).toEqual(['from', 'text', 'mode']);
  expect(recipeKeys(['no', 'such'])).toEqual([]);
});
