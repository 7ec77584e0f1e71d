import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const DIST = join(import.meta.dirname, '../../dist');
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g;

/** Every module that `file` of `dist/` loads, itself included; types are gone from there. */
function loadedBy(file: string, loaded: Set<string> = new Set()): ReadonlySet<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  const text = readFileSync(join(DIST, file), 'utf8').replaceAll(/\/\*[^]*?\*\//g, '');
  for (const [, specifier = ''] of text.matchAll(SPECIFIER)) {
    if (specifier.startsWith('.')) loadedBy(relative(DIST, join(DIST, dirname(file), specifier)), loaded);
    else loaded.add(specifier);
  }
  return loaded;
}

describe('the built client', () => {
  it('loads nothing of the service and nothing native', () => {
    const loaded = [...loadedBy('client/connect.js')].filter((name) => !name.startsWith('client/'));
    expect(loaded.toSorted()).toEqual([
      'base/rootcellar-error.js',
      'eventsource-parser/stream',
      'node:timers/promises',
      'zod',
    ]);
  });

  it('is what programs import as `rootcellar`, and as `rootcellar/client` without the rest', () => {
    const program = `
      import { connect } from 'rootcellar';
      import * as alone from 'rootcellar/client';
      console.log(JSON.stringify([typeof connect({ url: 'http://127.0.0.1' }).run, Object.keys(alone)]));
    `;
    const cwd = join(DIST, '..');
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd, encoding: 'utf8' });
    expect(JSON.parse(printed)).toEqual(['function', ['connect']]);
    expect(
      [...loadedBy('index.js')].filter((name) => /^(?:serve|cli)\/|^(?:fastify|pino|prom-client)$/.test(name)),
    ).toEqual([]);
  });
});
