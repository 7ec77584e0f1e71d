import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What a service is made of. */
export interface SoftwareVersions {
  /** Of this package. */
  readonly version: string;
  /** Of Node.js, with its `v`. */
  readonly node: string;
}

/** `package.json` stands two folders above `src/serve` and `dist/serve` alike. */
export function softwareVersions(): SoftwareVersions {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(text));
  return { version, node: process.version };
}
