// Locks and builds an image for each of the most used Python packages that bring native code or data files, for both
// architectures, and imports it in a cell. Prints one line for each. Takes about an hour and 15 GB of disk with an empty
// store; not part of CI.
//   node scripts/check-packages.mjs                 all of them
//   node scripts/check-packages.mjs numpy lxml      only these
//   ROOTCELLAR_HOME=DIR                             the store to use; default: a new one in the temporary folder, removed at the end
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import pMap from 'p-map';

const COMMAND = join(import.meta.dirname, '../dist/cli/main.js');
const ARCHITECTURES = ['amd64', 'arm64'];

/** Requirement, and the module to import where its name is another one. */
const PACKAGES = `
aiohttp
argon2-cffi argon2
asyncpg
av
bcrypt
blis
brotli
catboost
cffi
charset-normalizer charset_normalizer
confluent-kafka confluent_kafka
contourpy
cryptography
cvxpy
cython Cython
duckdb
faiss-cpu faiss
fonttools fontTools
frozenlist
gevent
google-crc32c google_crc32c
greenlet
grpcio grpc
h5py
hiredis
httptools
jiter
kiwisolver
levenshtein Levenshtein
lightgbm
llvmlite
lxml
lz4
markupsafe
matplotlib
msgpack
multidict
netcdf4 netCDF4
nltk
numba
numexpr
numpy
onnxruntime
opencv-python-headless cv2
orjson
ortools
osqp
pandas
pillow PIL
polars
protobuf google.protobuf
psutil
psycopg2-binary psycopg2
psycopg[binary] psycopg
pyarrow
pydantic
pymongo
pymupdf
pynacl nacl
pyogrio
pypdfium2
pyproj
pyyaml yaml
pyzmq zmq
rapidfuzz
rasterio
regex
rpds-py rpds
safetensors
scikit-image skimage
scikit-learn sklearn
scipy
sentencepiece
shapely
soundfile
sqlalchemy
statsmodels
tables
tiktoken
tokenizers
tornado
tree-sitter tree_sitter
ujson
uvloop
watchfiles
websockets
wrapt
xgboost
yarl
zstandard
`
  .trim()
  .split('\n')
  .map((line) => {
    const [requirement = '', module = requirement] = line.split(' ');
    return { requirement, module };
  });

/** What nearly every wheel of C++ or Rust expects of a system. */
const LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1', 'libz.so.1'];

/**
 * @typedef {{ readonly requirement: string, readonly module: string }} Package
 * @typedef {{ readonly work: string, readonly home: string }} Places
 * @typedef {{ readonly failed: boolean, readonly text: string }} Verdict
 */

/**
 * @param {readonly string[]} args
 * @param {Places} places
 */
async function rootcellar(args, { work, home }) {
  const env = { ROOTCELLAR_HOME: home, NO_COLOR: '1' };
  return await execa(process.execPath, [COMMAND, ...args], { cwd: work, env, reject: false, stdin: 'ignore' });
}

/**
 * @param {Package} one
 * @param {Places} places
 * @returns {Promise<Verdict>}
 */
async function check({ requirement, module }, places) {
  const name = requirement.replace(/\[.*/, '');
  const folder = join(places.work, name);
  await mkdir(folder);
  await writeFile(join(folder, 'python-requirements.txt'), `${requirement}\n`);
  const recipe = [
    `name: ${name}`,
    `architectures: [${ARCHITECTURES.join(', ')}]`,
    'base: { debian: { suite: trixie, packages: [python3, ca-certificates, tzdata] } }',
    `shared_objects: [${LIBRARIES.join(', ')}]`,
    'python: { requirements: python-requirements.txt }',
    'sandbox: { limits: { memory: 2GiB, cpu: 2m, wall: 4m, processes: 128, tmp: 256MiB } }',
  ];
  await writeFile(join(folder, 'recipe.yaml'), `${recipe.join('\n')}\n`);
  const built = await rootcellar(['build', name, '--add-missing', '--json'], places);
  const shown = name.padEnd(24);
  if (built.exitCode !== 0) return { failed: true, text: `FAILED  ${shown} ${firstError(built.stderr, built.stdout)}` };
  const sizes = built.stdout.split('\n').flatMap((line) => {
    const { architecture, size } = jsonObject(line);
    return typeof size === 'number' ? [`${String(architecture)} ${Math.round(size / 1024 ** 2)} MiB`] : [];
  });
  const run = await rootcellar(['run', name, '-c', `import ${module}`], places);
  const imported = run.exitCode === 0 ? `import ${module}` : `IMPORT FAILED: ${lastLine(run.stderr)}`;
  const text = [await lockedVersion(folder, name), ...sizes, imported, ...(await addedLibraries(folder))].join('  ');
  return { failed: run.exitCode !== 0, text: `${run.exitCode === 0 ? 'ok' : 'FAILED'}      ${shown} ${text}` };
}

/**
 * @param {string} folder
 * @param {string} name
 */
async function lockedVersion(folder, name) {
  const lock = JSON.parse(await readFile(join(folder, 'recipe.lock.json'), 'utf8'));
  const wheels = lock.targets['linux/amd64'].wheels;
  const found = wheels.find((/** @type {{ name: string }} */ wheel) => wheel.name === name);
  return String(found?.version ?? '');
}

/**
 * The shared objects that `--add-missing` found to be needed.
 * @param {string} folder
 */
async function addedLibraries(folder) {
  const text = await readFile(join(folder, 'recipe.yaml'), 'utf8');
  const names = new Set(text.match(/lib[A-Za-z0-9_+.-]+\.so[.0-9]*/g));
  for (const library of LIBRARIES) names.delete(library);
  return names.size === 0 ? [] : [`+ ${[...names].join(' ')}`];
}

/**
 * @param {string} line
 * @returns {Readonly<Record<string, unknown>>}
 */
function jsonObject(line) {
  return line.startsWith('{') ? JSON.parse(line) : {};
}

/**
 * @param {string} stderr
 * @param {string} stdout
 */
function firstError(stderr, stdout) {
  const error = stdout.split('\n').find((line) => line.includes('"error"'));
  return (error ?? lastLine(stderr)).slice(0, 400);
}

/** @param {string} text */
function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? '';
}

const chosen = PACKAGES.filter(({ requirement }) => process.argv.length < 3 || process.argv.includes(requirement));
const work = await mkdtemp(join(tmpdir(), 'rootcellar-packages-'));
const home = process.env['ROOTCELLAR_HOME'] ?? join(work, 'store');
let failures = 0;
try {
  await pMap(
    chosen,
    async (one) => {
      const { failed, text } = await check(one, { work, home });
      failures += failed ? 1 : 0;
      console.log(text);
    },
    { concurrency: 2 },
  );
} finally {
  await rm(work, { recursive: true, force: true });
}
console.log(`${chosen.length - failures} ok, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
