// Loads a tar, runs a program of it, and tries to remove the image meanwhile and afterwards: run-and-remove.mjs DIST TAR
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [dist = '', tar = ''] = process.argv.slice(2);
/** @param {string} file */
const load = async (file) => await import(pathToFileURL(join(dist, file)).href);
const { noProgress, startProgram, Store } = await load('index.js');
const { loadRootfs } = await load('load-rootfs.js');
const { removeImage } = await load('store/prune-store.js');

const store = await Store.open({ home: process.env['ROOTCELLAR_HOME'] });
const context = {
  store,
  environment: {},
  hostArchitecture: process.arch === 'x64' ? 'amd64' : 'arm64',
  signal: new AbortController().signal,
  progress: noProgress,
  now: Math.floor(Date.now() / 1000),
};
const image = await loadRootfs(tar, context);
const stop = new AbortController();
const remove = async () => {
  try {
    return (await removeImage(store, { name: image.name, nowMs: Date.now() })).removed.length;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error);
  }
};

/** What removing gives while the program runs, and the run's report. */
async function removeWhileRunning() {
  /** @type {((meanwhile: unknown) => void)[]} */
  const listeners = [];
  const told = new Promise((resolve) => {
    listeners.push(resolve);
  });
  const running = await startProgram(
    {
      image,
      program: { kind: 'code', code: 'import time\nprint("ready", flush=True)\ntime.sleep(60)' },
      arguments: [],
      limits: {},
      minimumTier: 'D',
      stdio: 'stream',
      onOutput: () => listeners.pop()?.(remove()),
      cancel: stop.signal,
    },
    context,
  );
  const first = await Promise.race([told, running.report]);
  stop.abort();
  return { first, report: await running.report };
}

const { first, report } = await removeWhileRunning();
const afterwards = await remove();
const left = ['names', 'images', 'unpacked', 'rootfs', 'slots', 'uses'].filter((folder) => {
  const path = join(store.home, folder);
  return existsSync(path) && readdirSync(path).length > 0;
});
await store.close();
process.stdout.write(
  `${JSON.stringify({ tier: report.isolation.tier, status: report.status, first, afterwards, left })}\n`,
);
