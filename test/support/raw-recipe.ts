import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { lockedRecipe } from '../../src/lock/recipe-inputs.ts';
import { writeLockfile } from '../../src/lock/lockfile-files.ts';
import { FORMAT_VERSION } from '../../src/lock/lockfile.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import type { DebArtifact, WheelArtifact } from '../../src/resolve/resolution.ts';
import { policyVocabulary } from '../../src/run/policy.ts';
import type { Workplace } from './command.ts';
import { startFileServer, type FileServer } from './file-server.ts';

/** A package whose bytes are exactly these, whatever they are. */
export interface RawPackage {
  readonly kind: 'deb' | 'wheel';
  readonly bytes: Uint8Array;
}

/** A Debian archive and a package index over HTTP that hand out whatever they are given. */
export interface RawServer extends AsyncDisposable {
  /**
   * Writes a recipe with a lockfile of just these packages, each `toy 1.0`, as if somebody had resolved it; returns its
   * folder. With a wheel the lockfile says that there is a Python, too.
   */
  lock(work: Workplace, packages: readonly RawPackage[]): Promise<string>;
}

export async function startRawServer(): Promise<RawServer> {
  const server = await startFileServer();
  return {
    lock: (work, packages) => lockPackages({ server, work, packages }),
    [Symbol.asyncDispose]: server.close,
  };
}

const WHEEL = 'toy-1.0-py3-none-any.whl';

async function lockPackages({
  server,
  work,
  packages,
}: {
  readonly server: FileServer;
  readonly work: Workplace;
  readonly packages: readonly RawPackage[];
}): Promise<string> {
  const folder = work.path('recipe');
  await work.write({
    'recipe/recipe.yaml': [
      'name: toy',
      `base: { debian: { suite: trixie, packages: [toy], mirror: "${server.url}/debian" } }`,
      `python: { requirements: r.txt, index_url: "${server.url}/simple" }`,
    ].join('\n'),
    'recipe/r.txt': 'toy\n',
  });
  const debs = packages.filter(({ kind }) => kind === 'deb').map(({ bytes }) => serveDeb(server, bytes));
  const wheels = packages.filter(({ kind }) => kind === 'wheel').map(({ bytes }) => serveWheel(server, bytes));
  const recipe = await readRecipe(folder, policyVocabulary());
  await writeLockfile(join(folder, 'recipe.lock.json'), {
    format: FORMAT_VERSION,
    recipe: lockedRecipe(recipe),
    epoch: { seconds: 1_800_000_000, from: 'a test' },
    resolvers: [],
    targets: new Map([
      ['amd64', { interpreter: wheels.length > 0 ? PYTHON : undefined, indexes: [], debs, wheels, diffId: undefined }],
    ]),
  });
  return folder;
}

const PYTHON = {
  version: '3.13.5',
  path: '/usr/bin/python3.13',
  glibc: '2.41',
  sitePath: '/usr/local/lib/python3.13/dist-packages',
  prefix: '/usr/local',
};

function serveDeb(server: FileServer, bytes: Uint8Array): DebArtifact {
  const path = 'pool/main/t/toy/toy_1.0_all.deb';
  server.files.set(`/debian/${path}`, { content: bytes });
  return {
    kind: 'deb',
    name: 'toy',
    version: '1.0',
    architecture: 'all',
    suite: 'trixie',
    path,
    size: bytes.length,
    digest: `sha256:${hex(bytes)}`,
    depends: [],
  };
}

function serveWheel(server: FileServer, bytes: Uint8Array): WheelArtifact {
  const page = `<!DOCTYPE html><html><body><a href="../../files/${WHEEL}#sha256=${hex(bytes)}">${WHEEL}</a></body></html>`;
  server.files.set('/simple/toy/', { content: Buffer.from(page), type: 'text/html' });
  server.files.set(`/files/${WHEEL}`, { content: bytes });
  const digest = `sha256:${hex(bytes)}` as const;
  return { kind: 'wheel', name: 'toy', version: '1.0', file: WHEEL, size: bytes.length, digest, uploaded: undefined };
}

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
