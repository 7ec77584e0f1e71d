import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { digestOf, hexOf } from '../base/digest.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';

const LARGEST_RECIPE = 1024 ** 2;

/** First line of a recipe that was made of a configuration. */
export function servedMark(configFile: string): string {
  return `# Made by \`rootcellar serve\` of ${JSON.stringify(resolve(configFile))}; changes are lost.\n`;
}

/**
 * What the image of a configuration is called. Where another configuration that is still there has the name in this store, one
 * of its own: two services would take the image from each other.
 */
export async function servedName(configFile: string, home: string): Promise<string> {
  const stem = basename(configFile)
    .replace(/\..*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .slice(0, 40);
  const plain = stem === 'config' ? 'dify-sandbox' : `dify-sandbox-${stem}`;
  const made = await readBoundedFile(join(home, 'served', plain, 'recipe.yaml'), LARGEST_RECIPE);
  const holder = made.kind === 'content' ? configOf(Buffer.from(made.content).toString('utf8')) : undefined;
  const own = resolve(configFile);
  if (holder === undefined || holder === own || !existsSync(holder)) return plain;
  return `${plain}-${hexOf(digestOf(own)).slice(0, 8)}`;
}

function configOf(text: string): string | undefined {
  const [, quoted] = /^# Made by `rootcellar serve` of ("[^\n]*"); changes are lost\.\n/.exec(text) ?? [];
  return quoted === undefined ? undefined : String(JSON.parse(quoted));
}
