import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { GatePage, IndexGate } from '../../src/resolve/index-gate.ts';
import type { PythonAnswer } from '../../src/resolve/python-resolution.ts';
import { askOnce } from '../../src/resolve/remembered-answer.ts';
import type { IndexFile } from '../../src/resolve/simple-page.ts';

const TARGET = { architecture: 'amd64', pythonVersion: '3.13.5', glibc: '2.41' } as const;
const ANSWER: PythonAnswer = {
  kind: 'answer',
  tool: 'uv',
  version: '1.0',
  wheels: [{ name: 'a', version: '1', file: 'a-1-py3-none-any.whl', digest: digestOf('a') }],
};

function file(name: string, content: string | undefined = name): IndexFile {
  const digest = content === '' ? undefined : digestOf(content);
  const rest = { size: 1, uploaded: 1, yanked: false, requiresPython: undefined, hasMetadata: false };
  return { file: name, url: `http://index.invalid/${name}`, digest, ...rest };
}

function page(...files: readonly IndexFile[]): GatePage {
  return { label: 'toys', isKnown: true, usable: files, refused: [] };
}

let cacheFolder = '';
beforeEach(() => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'answers-'));
});
afterEach(() => rmSync(cacheFolder, { recursive: true }));

interface Asked {
  readonly lines?: readonly string[];
  readonly version?: string;
  readonly preferences?: ReadonlyMap<string, string>;
  readonly fault?: Error;
}

/** Whether the tool had to be asked: with these pages on the index, of which it asks for all. */
async function isAsked(pages: Readonly<Record<string, GatePage>>, options: Asked = {}): Promise<boolean> {
  const { lines = ['a'], version = '1.0', preferences = new Map(), fault } = options;
  const asked = new Map<string, GatePage>();
  const found = (name: string): Promise<GatePage> =>
    pages[name] === undefined ? Promise.reject(new Error('no such page')) : Promise.resolve(pages[name]);
  const gate: IndexGate = { url: 'http://gate.invalid', page: found, asked, fault: () => fault };
  const request = { lines, target: TARGET, preferences, indexVariables: {} };
  let count = 0;
  const answer = await askOnce({ request, version, gate, settings: { cacheFolder } }, () => {
    count += 1;
    for (const [name, one] of Object.entries(pages)) asked.set(name, one);
    return Promise.resolve(ANSWER);
  });
  expect(answer).toEqual(ANSWER);
  return count === 1;
}

describe('askOnce()', () => {
  const PAGES = { a: page(file('a-1-py3-none-any.whl')), b: page(file('b-1-py3-none-any.whl')) };

  it('asks once as long as the question and every page are the same', async () => {
    expect(await isAsked(PAGES)).toBe(true);
    expect(await isAsked(PAGES)).toBe(false);
    // An address is another one each time, where an index signs them.
    const moved = { ...PAGES, a: page({ ...file('a-1-py3-none-any.whl'), url: 'http://other.invalid/a' }) };
    expect(await isAsked(moved)).toBe(false);
  });

  it.each<[string, Readonly<Record<string, GatePage>>]>([
    ['has a new file', { ...PAGES, b: page(file('b-1-py3-none-any.whl'), file('b-2-py3-none-any.whl')) }],
    ['lost a file', { ...PAGES, b: page() }],
    ['has other bytes', { ...PAGES, a: page(file('a-1-py3-none-any.whl', 'other')) }],
    ['is not known any more', { ...PAGES, b: { ...PAGES.b, isKnown: false } }],
    ['cannot be had', { a: PAGES.a }],
  ])('asks again where a page %s', async (_, pages) => {
    await isAsked(PAGES);
    expect(await isAsked(pages)).toBe(true);
  });

  it.each<[string, Asked]>([
    ['requirement', { lines: ['a>1'] }],
    ['uv', { version: '1.1' }],
    ['locked version', { preferences: new Map([['a', '1']]) }],
  ])('asks again for another %s', async (_, other) => {
    await isAsked(PAGES);
    expect(await isAsked(PAGES, other)).toBe(true);
    expect(await isAsked(PAGES, other)).toBe(false);
  });

  it('remembers nothing where a file has no digest, or something went wrong', async () => {
    const blind = { a: page(file('a-1-py3-none-any.whl', '')) };
    expect([await isAsked(blind), await isAsked(blind)]).toEqual([true, true]);
    const failing = { fault: new Error('an index that does not answer') };
    expect([await isAsked(PAGES, failing), await isAsked(PAGES)]).toEqual([true, true]);
  });

  it('passes over what is damaged', async () => {
    await isAsked(PAGES);
    const [name = ''] = readdirSync(join(cacheFolder, 'answers'));
    writeFileSync(join(cacheFolder, 'answers', name), 'x'.repeat(100));
    expect(await isAsked(PAGES)).toBe(true);
    expect(await isAsked(PAGES)).toBe(false);
  });
});
