import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { OutputRequest } from '../run/output-files.ts';
import type { InputFile } from '../run-program.ts';

/** Reads `LOCAL` or `LOCAL:PATH`, split at the last colon. Without PATH it has the name that it has here. Throws E_USAGE. */
export function fileOf(text: string): InputFile {
  const [, local = text, path] = /^(.*):([^:]*)$/s.exec(text) ?? [];
  if (local === '' || path === '') throw incomplete('--file', 'data.csv, or --file data.csv:input/data.csv');
  return { from: resolve(local), path: path ?? basename(resolve(local)) };
}

/**
 * Reads `PATH` or `PATH:LOCAL`, split at the first colon. A LOCAL that is a folder, and the current one without LOCAL, gets
 * it under the name that it has there. Throws E_USAGE.
 */
export async function outputOf(text: string): Promise<OutputRequest> {
  const [, path = text, local = '.'] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  if (path === '' || local === '') throw incomplete('--out', 'result.json, or --out result.json:results/first.json');
  const to = resolve(local);
  const isFolder = await stat(to).then(
    (status) => status.isDirectory(),
    () => false,
  );
  return { path, to: isFolder ? join(to, nameOf(path)) : to };
}

/** What `/tmp` itself would be called is for the caller to say. */
function nameOf(path: string): string {
  const name = basename(join('/', path));
  return name === '' ? 'tmp' : name;
}

function incomplete(flag: string, example: string): RootcellarError {
  return new RootcellarError('E_USAGE', `${flag}: there is nothing before or after the colon`, {
    hint: `${flag} ${example}`,
  });
}
