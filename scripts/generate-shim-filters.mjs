// Writes native/shim-filters.h, the filters of the shim. Needs `npm run build` before.
import { writeFile } from 'node:fs/promises';

const built = new URL('../dist/run/shim-filters.js', import.meta.url);
const { shimFiltersText } = await import(built.href);
await writeFile(new URL('../native/shim-filters.h', import.meta.url), shimFiltersText());
