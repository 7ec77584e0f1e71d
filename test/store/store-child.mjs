/**
 * A process of its own that uses a store, for tests of concurrency and of sudden death:
 * `store-child.mjs VERB HOME ARGUMENT…`. Needs the compiled program.
 */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';

const dist = process.env['ROOTCELLAR_DIST'] ?? new URL('../../dist', import.meta.url).pathname;
const { Store } = await import(`${dist}/store/store.js`);
const { withLock } = await import(`${dist}/store/kernel-lock.js`);
const { writeUnpacked } = await import(`${dist}/store/unpacked.js`);
const { putImage } = await import(`${dist}/store/put-image.js`);
const { downloadArtifacts } = await import(`${dist}/store/download.js`);

const [verb = '', home = '', ...args] = process.argv.slice(2);
const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);
const sha256 = (/** @type {string | Uint8Array} */ content) =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;
const waitForInput = () => new Promise((resolve) => process.stdin.once('data', resolve).once('end', resolve));

/** @type {Record<string, () => Promise<void>>} */
const verbs = {
  async open() {
    say((await Store.open({ home })).home);
  },
  /** Makes a half-written file, says where, and waits. */
  async hold() {
    const store = await Store.open({ home });
    const path = await store.temporaryPath();
    appendFileSync(path, 'half');
    say(path);
    await waitForInput();
    await store.close();
  },
  /** Takes a lock, says so, and keeps it until its input ends. */
  async lock() {
    const store = await Store.open({ home });
    await withLock(store, args[0], async () => {
      say('locked');
      await waitForInput();
    });
  },
  /** Appends `in` and `out` to a file under a lock, some times. */
  async count() {
    const store = await Store.open({ home });
    const [file = '', times] = args;
    await inOrder(Array.from({ length: Number(times) }), () =>
      withLock(store, 'count', async () => {
        appendFileSync(file, 'in\n');
        await new Promise((resolve) => setImmediate(resolve));
        appendFileSync(file, 'out\n');
      }),
    );
  },
  /** Unpacks artifacts `from` to `to` of 200 files and 4 MB each, and makes them images. */
  async build() {
    const store = await Store.open({ home });
    say('ready');
    const [from, to] = args;
    const numbers = Array.from({ length: Number(to) - Number(from) }, (_, index) => Number(from) + index);
    await inOrder(numbers, (number) => buildOne(store, number));
    await store.close();
  },
  async download() {
    const store = await Store.open({ home });
    const [url, digest, size] = args;
    const artifact = { kind: 'wheel', name: 'toy', version: '1', file: 'toy.whl', size: Number(size), digest };
    say('ready');
    await downloadArtifacts(store, [{ artifact, urls: [url] }], { progress: () => undefined, environment: {} });
    await store.close();
  },
};

async function buildOne(/** @type {import('../../src/store/store.ts').Store} */ store, /** @type {number} */ number) {
  const key = sha256(`artifact ${number}`);
  const { entries } = await writeUnpacked(store, key, (/** @type {any} */ sink) => unpack(sink, number));
  await putImage(store, {
    name: 'toy',
    architecture: 'amd64',
    diffId: sha256(`image ${number}`),
    size: 1,
    inputsKey: sha256(`inputs ${number}`),
    manifest: { number },
    tree: new Map(entries.map((/** @type {any} */ entry) => [entry.path, entry])),
    unpackedKeys: [key],
  });
}

async function unpack(/** @type {any} */ sink, /** @type {number} */ number) {
  /** @type {unknown[]} */
  const entries = [];
  await inOrder([...Array.from({ length: 200 }).keys()], async (index) => {
    const { digest, size } = await sink.write([Buffer.alloc(20_000, `${number} ${index} `)]);
    const path = `f${String(index).padStart(3, '0')}`;
    entries.push({ kind: 'file', path, mode: 0o644, uid: 0, gid: 0, mtime: 1, origin: 'toy', size, digest });
  });
  return { entries, scripts: [], metadata: `${number}` };
}

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => Promise<void>} action
 */
async function inOrder(items, action) {
  let last = Promise.resolve();
  for (const item of items) last = last.then(() => action(item));
  await last;
}

try {
  await verbs[verb]?.();
} catch (error) {
  say(error instanceof Error && 'code' in error ? `${String(error.code)} ${error.message}` : String(error));
  process.exitCode = 1;
}
