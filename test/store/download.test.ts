import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { digestOf, hexOf } from '../../src/base/digest.ts';
import { noProgress } from '../../src/base/progress.ts';
import type { ProgressEvent } from '../../src/base/progress.ts';
import type { LocatedArtifact } from '../../src/resolve/resolution.ts';
import { artifactPath, hasArtifact, openArtifact, verifyArtifact } from '../../src/store/artifacts.ts';
import { downloadArtifacts } from '../../src/store/download.ts';
import type { DownloadOptions } from '../../src/store/download.ts';
import type { Store } from '../../src/store/store.ts';
import { answering, chunked, ranged, startDownloadServer } from './download-server.ts';
import { childEnd, childReady, inOrder, scratchFolder, scratchStore, startChild } from './scratch-store.ts';

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 255));
const DIGEST = digestOf(CONTENT);
const PARTIAL = hexOf(DIGEST);

function located(...urls: readonly string[]): LocatedArtifact {
  return locatedAs({ name: 'toy', content: CONTENT }, ...urls);
}

function locatedAs({ name, content }: { name: string; content: Buffer }, ...urls: readonly string[]): LocatedArtifact {
  const digest = digestOf(content);
  return {
    artifact: { kind: 'wheel', name, version: '1', file: `${name}.whl`, size: content.length, digest, uploaded: 1 },
    urls,
  };
}

function download(
  store: Store,
  artifacts: readonly LocatedArtifact[],
  options: Partial<DownloadOptions> = {},
): Promise<void> {
  return downloadArtifacts(store, artifacts, { progress: noProgress, environment: {}, retryDelayMs: 1, ...options });
}

/** Whether the artifact is there and right, and nothing else is left of it. */
async function isThere(store: Store): Promise<boolean> {
  if (!(await hasArtifact(store, DIGEST, CONTENT.length)) || readdirSync(store.path('partial')).length > 0)
    return false;
  return readFileSync(artifactPath(store, DIGEST)).equals(CONTENT);
}

/** Says when so many bytes of the artifact have come. */
function arrival(store: Store, length: number): () => boolean {
  const path = store.path('partial', PARTIAL);
  return () => existsSync(path) && statSync(path).size >= length;
}

describe('downloadArtifacts()', () => {
  it('brings an artifact once and tells of it', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(ranged(CONTENT));
    const events: ProgressEvent[] = [];
    const progress = (event: ProgressEvent): void => void events.push(event);
    await download(store, [located(server.origin), located(server.origin)], { progress });
    expect(await isThere(store)).toBe(true);
    await download(store, [located(server.origin)], { progress });
    expect(server.headers).toHaveLength(1);
    expect(events[0]).toEqual({
      kind: 'begin',
      step: 'download',
      title: 'download 1 artifacts',
      total: { items: 1, bytes: 300_000 },
    });
    expect(events.at(-2)).toEqual({
      kind: 'advance',
      step: 'download',
      done: { items: 1, bytes: 300_000 },
      detail: 'toy',
    });
    expect(events.at(-1)).toEqual({ kind: 'end', step: 'download', summary: '1 artifacts, 293 KiB' });
  });

  it('takes bodies from a server that hangs up right behind them', async () => {
    const store = await scratchStore();
    const contents = Array.from({ length: 12 }, (_, index) => Buffer.alloc(200_000 + index * 60_000, `${index}`));
    const server = createServer((socket) => {
      socket.once('data', (request) => {
        const content = contents[Number(/^GET \/(\d+)/.exec(request.toString())?.[1])] ?? Buffer.alloc(0);
        socket.end(
          Buffer.concat([Buffer.from(`HTTP/1.0 200 OK\r\ncontent-length: ${content.length}\r\n\r\n`), content]),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : '';
    const artifacts = contents.map((content, index) =>
      locatedAs({ name: `toy${index}`, content }, `http://127.0.0.1:${port}/${index}`),
    );
    await download(store, artifacts);
    expect(readdirSync(store.path('artifacts'))).toHaveLength(12);
  });

  it('goes on where the connection broke', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(
      ranged(CONTENT, { etag: '"1"', breakAfter: 100_000, arrived: arrival(store, 100_000) }),
      ranged(CONTENT, { etag: '"1"', breakAfter: 100_000, arrived: arrival(store, 200_000) }),
      ranged(CONTENT, { etag: '"1"' }),
    );
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(server.headers.map((headers) => headers['if-range'])).toEqual([undefined, '"1"', '"1"']);
  });

  it('goes on in another run', async () => {
    const store = await scratchStore();
    const broken = await startDownloadServer(
      ranged(CONTENT, { etag: '"1"', breakAfter: 100_000, arrived: arrival(store, 100_000) }),
      answering(503),
    );
    await expect(download(store, [located(broken.origin)])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
    expect(readFileSync(store.path('partial', PARTIAL))).toHaveLength(100_000);
    const server = await startDownloadServer(ranged(CONTENT));
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers.map(({ range }) => range)).toEqual(['bytes=100000-']);
    expect(server.headers[0]?.['if-range']).toBeUndefined();
  });

  it('takes the whole when the file has changed, or the server knows no ranges', async () => {
    const store = await scratchStore();
    const changed = await startDownloadServer(
      ranged(Buffer.alloc(300_000, 'old'), { etag: '"1"', breakAfter: 90_000, arrived: arrival(store, 90_000) }),
      ranged(CONTENT, { etag: '"2"' }),
    );
    await download(store, [located(changed.origin)]);
    expect(await isThere(store)).toBe(true);

    const second = await scratchStore();
    const rangeless = await startDownloadServer(
      ranged(CONTENT, { breakAfter: 90_000, arrived: arrival(second, 90_000) }),
      chunked(CONTENT),
    );
    await download(second, [located(rangeless.origin)]);
    expect(await isThere(second)).toBe(true);
  });

  it('takes the whole again when what it had was of another file', async () => {
    const store = await scratchStore();
    writeFileSync(store.path('partial', PARTIAL), Buffer.alloc(1000, 'wrong'));
    const server = await startDownloadServer(ranged(CONTENT));
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers.map(({ range }) => range)).toEqual(['bytes=1000-', undefined]);
  });

  it('uses what is there in full, and drops what is too long', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(ranged(CONTENT));
    writeFileSync(store.path('partial', PARTIAL), CONTENT);
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers).toHaveLength(0);

    const second = await scratchStore();
    writeFileSync(second.path('partial', PARTIAL), Buffer.concat([CONTENT, CONTENT]));
    await download(second, [located(server.origin)]);
    expect(await isThere(second)).toBe(true);
  });

  it.each([416, 206])('asks for the whole when a range is answered with a wrong %i', async (status) => {
    const store = await scratchStore();
    writeFileSync(store.path('partial', PARTIAL), CONTENT.subarray(0, 1000));
    const server = await startDownloadServer(answering(status, { 'content-range': 'bytes 7-8/9' }), ranged(CONTENT));
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
  });

  it('tries again after 503, 429 and a dropped connection', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(
      answering(503),
      answering(429, { 'retry-after': '0' }),
      (request) => request.socket.destroy(),
      ranged(CONTENT),
    );
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
  });

  it('gives up after four attempts without progress', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(answering(503));
    await expect(download(store, [located(server.origin)])).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: `wheel \`toy.whl\`: could not be downloaded: \`${server.origin}/\` (the server answered 503)`,
    });
    expect(server.headers).toHaveLength(4);
  });

  it('does not wait for an hour because a server says so', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(answering(429, { 'retry-after': '3600' }));
    await expect(download(store, [located(server.origin)])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
    expect(server.headers).toHaveLength(1);
  });

  it('tries the next address when one has wrong bytes, too many, too few, or none', async () => {
    const wrong = Buffer.from(CONTENT);
    wrong[5] = 0;
    const handlers = [
      ranged(wrong),
      ranged(Buffer.concat([CONTENT, CONTENT])),
      chunked(Buffer.concat([CONTENT, CONTENT])),
      ranged(CONTENT.subarray(1)),
      answering(404),
      answering(403),
    ];
    await inOrder(handlers, async (handler) => {
      const store = await scratchStore();
      const [bad, good] = await Promise.all([startDownloadServer(handler), startDownloadServer(ranged(CONTENT))]);
      await download(store, [located(bad.origin, good.origin)]);
      expect(await isThere(store)).toBe(true);
      expect(bad.headers).toHaveLength(1);
    });
  });

  it('is E_DIGEST_MISMATCH when no address has the right bytes, and keeps none of them', async () => {
    const store = await scratchStore();
    const wrong = Buffer.alloc(CONTENT.length, 'evil');
    const server = await startDownloadServer(ranged(wrong));
    await expect(download(store, [located(server.origin)])).rejects.toMatchObject({
      code: 'E_DIGEST_MISMATCH',
      message: expect.stringContaining(
        `wheel \`toy.whl\`: expected ${hexOf(DIGEST).slice(0, 12)}, got ${hexOf(digestOf(wrong)).slice(0, 12)}`,
      ),
    });
    expect(existsSync(artifactPath(store, DIGEST))).toBe(false);
    expect(readFileSync(store.path('partial', PARTIAL))).toHaveLength(0);
  });

  it('refuses a short answer of another length, and its unread body ends nothing', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer((_, response) => {
      response.setHeader('content-length', 5);
      response.end('short');
    });
    await expect(download(store, [located(server.origin)])).rejects.toMatchObject({
      code: 'E_DIGEST_MISMATCH',
      message: expect.stringContaining('expected 300000 bytes, got 5 bytes'),
    });
    await new Promise(setImmediate);
  });

  it('takes no more bytes than the artifact has from a server that never ends', async () => {
    const store = await scratchStore();
    let sent = 0;
    const server = await startDownloadServer((_, response) => {
      const pour = (): void => {
        if (response.destroyed) return;
        sent += 65_536;
        response.write(Buffer.alloc(65_536), pour);
      };
      pour();
    });
    await expect(download(store, [located(server.origin)])).rejects.toMatchObject({ code: 'E_DIGEST_MISMATCH' });
    expect(sent).toBeLessThan(50_000_000);
  });

  it('is E_DOWNLOAD_GONE with a way out when every address says so', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(answering(404), answering(410));
    await expect(download(store, [located(`${server.origin}/a`, `${server.origin}/b`)])).rejects.toMatchObject({
      code: 'E_DOWNLOAD_GONE',
      hint: 'rootcellar lock --upgrade-package toy',
    });
    expect(server.headers).toHaveLength(2);
  });

  it('is E_DOWNLOAD when nothing says where an artifact is, or the address is none', async () => {
    const store = await scratchStore();
    await expect(download(store, [located()])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
    await expect(download(store, [located('ftp://u:secret@h/x')])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
    await expect(download(store, [located('no address')])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });

  it('shows its credentials to the server that they are for, and to nobody else', async () => {
    const store = await scratchStore();
    const other = await startDownloadServer(ranged(CONTENT));
    const server = await startDownloadServer(
      answering(302, { location: '/moved' }),
      answering(302, { location: `${other.origin}/x` }),
    );
    const url = server.origin.replace('http://', 'http://user:p%40ss@');
    await download(store, [located(`${url}/toy.whl`)]);
    const basic = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(server.headers.map(({ authorization }) => authorization)).toEqual([basic, basic]);
    expect(other.headers.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('never tells credentials in an error or in the store', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(
      ranged(CONTENT, { breakAfter: 1000, arrived: arrival(store, 1000) }),
      answering(401),
    );
    const url = `${server.origin.replace('http://', 'http://user:hunter2@')}/toy.whl?token=hunter2`;
    const error: unknown = await download(store, [located(url)]).catch((reason: unknown) => reason);
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
    expect(error).toMatchObject({ code: 'E_DOWNLOAD', hint: expect.stringContaining('credentials') });
    expect(readFileSync(store.path('partial', `${PARTIAL}.from`), 'utf8')).not.toContain('hunter2');
  });

  it.each(['file:///etc/passwd', 'ftp://127.0.0.1/', 'http://['])(
    'does not follow a redirect to %s',
    async (location) => {
      const store = await scratchStore();
      const server = await startDownloadServer(answering(302, { location }));
      await expect(download(store, [located(server.origin)])).rejects.toThrow(/redirects to no web address/);
    },
  );

  it('ends a redirect that never ends', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(answering(302, { location: '/again' }));
    await expect(download(store, [located(server.origin)])).rejects.toThrow(/redirects without end/);
    expect(server.headers).toHaveLength(11);
  });

  it('reads file: addresses', async () => {
    const store = await scratchStore();
    const file = join(await scratchFolder(), 'toy.whl');
    writeFileSync(file, CONTENT);
    await download(store, [located('file:///nowhere/at/all', 'file:///', `file://${file}`)]);
    expect(await isThere(store)).toBe(true);
  });

  it('reports every artifact that cannot be had', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(answering(404));
    const artifacts = ['a', 'b'].map((name) => locatedAs({ name, content: Buffer.from(name) }, server.origin));
    const error: unknown = await download(store, artifacts, { concurrency: 1 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'E_DOWNLOAD_GONE', hint: 'rootcellar lock --upgrade-package a' });
  });

  it('stops the others when one fails, and keeps what they have', async () => {
    const store = await scratchStore();
    const slow = await startDownloadServer((_, response) => {
      response.setHeader('content-length', CONTENT.length);
      response.write(CONTENT.subarray(0, 1000));
    });
    const hasCome = arrival(store, 1000);
    const failing = await startDownloadServer((_, response) => {
      const answer = (): void => {
        if (hasCome()) response.writeHead(404).end();
        else setImmediate(answer);
      };
      answer();
    });
    const other = locatedAs({ name: 'other', content: Buffer.from('other') }, failing.origin);
    await expect(download(store, [located(slow.origin), other])).rejects.toMatchObject({ code: 'E_DOWNLOAD_GONE' });
    expect(readFileSync(store.path('partial', PARTIAL))).toHaveLength(1000);
  });

  it('stops when it is told to', async () => {
    const store = await scratchStore();
    const stop = new AbortController();
    const server = await startDownloadServer(() => stop.abort());
    const downloading = download(store, [located(server.origin)], { signal: stop.signal });
    await expect(downloading).rejects.toMatchObject({ code: 'E_CANCELLED' });
    await expect(download(store, [located(server.origin)], { signal: stop.signal })).rejects.toMatchObject({
      code: 'E_CANCELLED',
    });
  });

  it('asks the proxy that the environment names', async () => {
    const store = await scratchStore();
    const proxy = await startDownloadServer(ranged(CONTENT));
    const environment = { http_proxy: proxy.origin };
    await download(store, [located('http://nowhere.invalid/x')], { environment });
    expect(await isThere(store)).toBe(true);
    expect(proxy.headers.map(({ host }) => host)).toEqual(['nowhere.invalid']);

    const second = await scratchStore();
    const direct = await startDownloadServer(ranged(CONTENT));
    await download(second, [located(direct.origin)], { environment: { ...environment, NO_PROXY: '127.0.0.1' } });
    expect(proxy.headers).toHaveLength(1);
    expect(direct.headers).toHaveLength(1);
  });

  it('lets two processes want the same artifact: one brings it, both have it', async () => {
    const store = await scratchStore();
    const server = await startDownloadServer(ranged(CONTENT));
    const args = ['download', store.home, server.origin, DIGEST, `${CONTENT.length}`] as const;
    const ends = await Promise.all([childEnd(startChild(...args)), childEnd(startChild(...args))]);
    expect(ends).toEqual([0, 0]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers).toHaveLength(1);
  });

  it('goes on with what a killed process has left', async () => {
    const store = await scratchStore();
    const slow = await startDownloadServer((_, response) => {
      response.setHeader('content-length', CONTENT.length);
      response.write(CONTENT.subarray(0, 1000));
    });
    const child = startChild('download', store.home, slow.origin, DIGEST, `${CONTENT.length}`);
    const end = childEnd(child);
    await childReady(child);
    await vi.waitUntil(arrival(store, 1000));
    child.kill('SIGKILL');
    await end;
    const server = await startDownloadServer(ranged(CONTENT));
    await download(store, [located(server.origin)]);
    expect(await isThere(store)).toBe(true);
    expect(server.headers.map(({ range }) => range)).toEqual(['bytes=1000-']);
  });

  it('brings many at once', async () => {
    const store = await scratchStore();
    const contents = Array.from({ length: 40 }, (_, index) => Buffer.from(`content ${index}`));
    const server = await startDownloadServer((request, response) => {
      response.end(contents[Number(request.url?.slice(1))]);
    });
    const artifacts = contents.map((content, index) =>
      locatedAs({ name: `a${index}`, content }, `${server.origin}/${index}`),
    );
    await download(store, artifacts);
    const there = await Promise.all(
      artifacts.map(({ artifact }) => hasArtifact(store, artifact.digest, artifact.size)),
    );
    expect(there.every(Boolean)).toBe(true);
    expect(readdirSync(store.path('locks'))).toEqual([]);
  });
});

describe('openArtifact()', () => {
  it('reads anywhere', async () => {
    const store = await scratchStore();
    writeFileSync(artifactPath(store, DIGEST), CONTENT);
    const source = await openArtifact(store, DIGEST);
    expect(source.size).toBe(300_000);
    expect(Buffer.from(await source.read(299_990, 100)).equals(CONTENT.subarray(299_990))).toBe(true);
    expect(await source.read(300_000, 5)).toHaveLength(0);
    await source.close();
  });

  it('refuses an artifact that is not there', async () => {
    const store = await scratchStore();
    await expect(openArtifact(store, DIGEST)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });
});

describe('verifyArtifact()', () => {
  it('refuses other bytes', async () => {
    const store = await scratchStore();
    writeFileSync(artifactPath(store, DIGEST), CONTENT);
    await verifyArtifact(store, DIGEST);
    writeFileSync(artifactPath(store, DIGEST), Buffer.alloc(300_000));
    await expect(verifyArtifact(store, DIGEST)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });
});
