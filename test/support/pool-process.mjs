// A process with a warm pool that runs programs until it is killed: HOME of the store, name of the image, module to import.
// @ts-check
import { WarmPool } from '../../dist/warm-pool.js';
import { findImage } from '../../dist/store/images.js';
import { Store } from '../../dist/store/store.js';
import { manifestJson, readManifest } from '../../dist/store/image-manifest.js';

const [home = '', module = ''] = process.argv.slice(2);
const architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
const store = await Store.open({ home });
const image = await findImage(store, 'hostile', architecture);
const manifest = readManifest(image.manifest);
const own = {
  ...image,
  manifest: manifestJson({ ...manifest, sandbox: { ...manifest.sandbox, preimport: [module] } }),
};
const pool = new WarmPool(
  () => ({
    store,
    environment: {},
    hostArchitecture: architecture,
    signal: new AbortController().signal,
    progress: () => undefined,
    now: Math.floor(Date.now() / 1000),
  }),
  { size: 2, kinds: 1, makers: 1, zygotes: true },
);
const code = `if 0: import ${module}\nimport time\nprint("begun", flush=True)\ntime.sleep(1e6)`;
/** @type {import('../../src/run-program.ts').RunRequest} */
const request = {
  image: own,
  program: { kind: 'file', file: { name: 'main.py', content: Buffer.from(code) } },
  arguments: [],
  limits: {},
  stdio: 'stream',
  onOutput: () => void process.stdout.write('begun\n'),
};
process.stdout.write('ready\n');
for (;;) {
  await pool.prepare(request);
  const { report } = await pool.start(request);
  await report;
}
