// Runs attacks where it was started, with the library as it was built, for a test that is outside.
// A line of JSON in: `{ id, request }` or `{ id, cancel: true }` or `{ id, state: true }`. A line out: `{ id, … }` of the same id.
// @ts-check
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { startAttack } from './start-attack.mjs';

const BUILT = new URL('../../dist/', import.meta.url);
const [home = '', socket = ''] = process.argv.slice(2);

/** @param {string} name */
const built = (name) => import(new URL(`${name}.js`, BUILT).href);
const { Store } = await built('store/store');
const { findImage } = await built('store/images');
const modules = Object.assign(
  {},
  ...(await Promise.all(
    [
      'run-program',
      'recipe/limit-setting',
      'recipe/network-schema',
      'run/policy',
      'run/filter-compiler',
      'store/image-manifest',
      'base/progress',
      'base/rootcellar-error',
    ].map(built),
  )),
);

const architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
const store = await Store.open({ home });
const images = {
  python: await findImage(store, 'python', architecture),
  nodejs: await findImage(store, 'nodejs', architecture),
};

// What no guest may reach, in the network that this host has.
let visits = 0;
const count = () => {
  visits += 1;
};
const servers = [createServer(count), createServer(count)];
/** @type {(index: number, where: object) => Promise<void>} */
const listen = (index, where) => new Promise((resolve) => void servers[index]?.listen(where, () => resolve()));
await listen(0, { port: 0, host: '0.0.0.0' });
await listen(1, { path: `\0${socket}` });
const address = servers[0]?.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;

/** @type {Map<number, AbortController>} */
const running = new Map();

/** @param {object} answer */
function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** @param {{ id: number, request?: import('./start-attack.mjs').AttackRequest, cancel?: boolean }} order */
async function obey({ id, request, cancel }) {
  if (cancel === true) return running.get(id)?.abort();
  if (request === undefined) return say({ id, visits });
  const controller = new AbortController();
  running.set(id, controller);
  const what = { request, cancel: controller.signal };
  try {
    say({ id, observed: await startAttack(modules, { store, images, architecture }, what) });
  } catch (error) {
    say({ id, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  running.delete(id);
}

say({ id: 0, port });
for await (const line of createInterface({ input: process.stdin })) void obey(JSON.parse(line));
for (const server of servers) server.close();
await store.close();
