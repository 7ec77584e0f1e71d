// Writes the JSON Schema by which editors complete and check a recipe. Needs `npm run build` before.
import { writeFile } from 'node:fs/promises';

const built = new URL('../dist/recipe/recipe-schema.js', import.meta.url);
const { recipeJsonSchemaText } = await import(built.href);
await writeFile(new URL('../recipes/recipe.schema.json', import.meta.url), recipeJsonSchemaText());
