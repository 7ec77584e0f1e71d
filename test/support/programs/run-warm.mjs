// Runs a program in cells that waited, one after the other and two at once, and prints the reports: run-warm.mjs DIST TAR
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import process from 'node:process';

const [dist = '', tar = ''] = process.argv.slice(2);
/** @param {string} file */
const load = async (file) => await import(pathToFileURL(join(dist, file)).href);
const { noProgress, Store, WarmPool } = await load('index.js');
const { loadRootfs } = await load('load-rootfs.js');

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
const pool = new WarmPool(() => context, { size: 2, kinds: 2, makers: 1, zygotes: true });
const code = `
import os
print(os.listdir(os.getcwd()), os.listdir(os.path.dirname(__file__)))
open("left", "w").write("behind")`;
const request = {
  image,
  program: { kind: 'file', file: { name: 'main.py', content: Buffer.from(code) } },
  arguments: [],
  limits: {},
  minimumTier: 'D',
  stdio: 'capture',
};
const run = async () => await (await pool.start(request)).report;

await pool.prepare(request);
const both = await Promise.all([run(), run()]);
await pool.prepare(request);
const reports = [...both, await run()];
await pool.close();
await store.close();
process.stdout.write(`${JSON.stringify(reports)}\n`);
