import { describe, expect, it } from 'vitest';
import { withPackageIndex, type PackageIndex } from '../../src/resolve/index-client.ts';
import type { IndexFile } from '../../src/resolve/simple-page.ts';
import { startToyIndex, type ToyIndexOptions } from '../support/toy-index.ts';

const SETTINGS = {
  hostArchitecture: 'amd64' as const,
  environment: {},
  cacheFolder: '/nowhere',
  temporaryFolder: '/nowhere',
  now: 0,
};
const WHEELS = [{ name: 'Toy.One', version: '1.0', uploaded: '2026-01-02T03:04:05.6Z' }];
const FILE = 'Toy_One-1.0-py3-none-any.whl';

async function ask<T>(
  addresses: readonly string[],
  body: (index: PackageIndex) => Promise<T>,
  netrc?: string,
): Promise<T> {
  return await withPackageIndex({ addresses, netrc, settings: SETTINGS }, body);
}

async function only(
  options: Partial<ToyIndexOptions>,
): Promise<{ file: IndexFile | undefined; size: number | undefined }> {
  await using toy = await startToyIndex({ wheels: WHEELS, ...options });
  return await ask([toy.url], async (index) => {
    const [file] = await index.files('toy-one');
    return { file, size: file === undefined ? undefined : await index.sizeOf(file) };
  });
}

describe('withPackageIndex()', () => {
  it('reads JSON and HTML to the same, size and date included', async () => {
    const json = await only({});
    const html = await only({ format: 'html' });
    expect(json.file).toMatchObject({ file: FILE, uploaded: 1767323045, yanked: false });
    expect(html.file).toMatchObject({ file: FILE, uploaded: 1767323045, digest: json.file?.digest, size: undefined });
    expect(json.size).toBeGreaterThan(100);
    expect(html.size).toBe(json.size);
  });

  it('asks every index, better ones first, and each page once', async () => {
    await using first = await startToyIndex({ wheels: [] });
    await using second = await startToyIndex({ wheels: WHEELS });
    await using third = await startToyIndex({ wheels: [{ name: 'toy-one', version: '2.0' }] });
    const files = await ask([first.url, `${second.url}/`, third.url], async (index) => {
      await index.files('Toy.One');
      return await index.files('toy_one');
    });
    expect(files.map(({ file }) => file)).toEqual([FILE, 'toy_one-2.0-py3-none-any.whl']);
    expect(second.server.requests).toEqual(['GET /simple/toy-one/']);
  });

  it('finds nothing where no index has the project', async () => {
    await using toy = await startToyIndex({ wheels: [] });
    expect(await ask([toy.url], (index) => index.files('nope'))).toEqual([]);
  });

  it('uses credentials of the address, and gives them to files on the same host', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:p@ss' });
    const address = toy.url.replace('//', '//me:p%40ss@');
    const [file] = await ask([address], (index) => index.files('toy-one'));
    expect(file?.url).toBe(`${address.replace('/simple', '/files')}/${FILE}`);
  });

  it('gives the credentials to no other host', async () => {
    await using toy = await startToyIndex({ wheels: [] });
    const links = [`${toy.server.url}/a-1.zip`, 'https://other.example/b-1.zip'].map((url) => `<a href="${url}">x</a>`);
    toy.server.answer = () => ({ content: Buffer.from(links.join('')), type: 'text/html' });
    const files = await ask([toy.url.replace('//', '//me:pass@')], (index) => index.files('x'));
    expect(files.map(({ url }) => url)).toEqual([
      `${toy.server.url.replace('//', '//me:pass@')}/a-1.zip`,
      'https://other.example/b-1.zip',
    ]);
  });

  it('uses credentials of netrc', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:pass' });
    const files = await ask([toy.url], (index) => index.files('toy-one'), 'machine 127.0.0.1 login me password pass\n');
    expect(files).toHaveLength(1);
    await expect(ask([toy.url], (index) => index.files('toy-one'))).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });

  it('tries again after a fault that passes', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    toy.server.faults.set('/simple/toy-one/', { kind: 'drop', times: 1 });
    expect(await ask([toy.url], (index) => index.files('toy-one'))).toHaveLength(1);
    toy.server.faults.set('/simple/toy-one/', { kind: 'status', status: 503, times: 2 });
    expect(await ask([toy.url], (index) => index.files('toy-one'))).toHaveLength(1);
    toy.server.faults.set('/simple/toy-one/', { kind: 'truncate', times: 1 });
    expect(await ask([toy.url], (index) => index.files('toy-one'))).toHaveLength(1);
  });

  it.each(['drop', 'truncate'] as const)('throws E_DOWNLOAD without the address when it stays so: %s', async (kind) => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    toy.server.faults.set('/simple/toy-one/', { kind });
    const failure = ask([toy.url], (index) => index.files('toy-one'));
    await expect(failure).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.not.stringContaining('127.0.0.1'),
    });
  });

  it('throws E_DOWNLOAD for a page that is no JSON though it says so', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    toy.server.answer = () => ({ content: Buffer.from('{"files":5}'), type: 'application/vnd.pypi.simple.v1+json' });
    await expect(ask([toy.url], (index) => index.files('x'))).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });

  it('throws E_CANCELLED when it is stopped', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    const settings = { ...SETTINGS, signal: AbortSignal.abort() };
    const access = { addresses: [toy.url], netrc: undefined, settings };
    await expect(withPackageIndex(access, (index) => index.files('x'))).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(toy.server.requests).toEqual([]);
  });

  it('refuses an address that is no HTTP', async () => {
    await expect(ask(['ftp://x/simple'], (index) => index.files('x'))).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });
});
