import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** Debian's docker-registry on loopback, for one test file. */
export interface LocalRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Lines of requests, `POST /v2/…`, that it has answered. */
  requests(): readonly string[];
  /** Its own file of a blob. */
  blobFile(digest: string): string;
}

export interface RegistrySettings {
  /** A folder that is not there yet. */
  readonly folder: string;
  /** Wants this login. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Paths of certificate and key. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export async function localRegistry({ folder, login, tls }: RegistrySettings): Promise<LocalRegistry> {
  mkdirSync(`${folder}/data`, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const log = `${folder}/log`;
  writeFileSync(log, '');
  const parts = [
    'version: 0.1',
    `storage: { filesystem: { rootdirectory: ${folder}/data } }`,
    `http: { addr: "${host}", secret: toy${tls === undefined ? '' : `, tls: { certificate: ${tls.certificate}, key: ${tls.key} }`} }`,
  ];
  if (login !== undefined) {
    const words = ['-Bbn', login.username, login.password];
    writeFileSync(`${folder}/htpasswd`, execFileSync('htpasswd', words, { encoding: 'utf8' }));
    parts.push(`auth: { htpasswd: { realm: toy, path: ${folder}/htpasswd } }`);
  }
  writeFileSync(`${folder}/config.yml`, `${parts.join('\n')}\n`);
  const child = spawn('docker-registry', ['serve', `${folder}/config.yml`], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => appendFileSync(log, data));
  const ended = once(child, 'close');
  while (!readFileSync(log, 'utf8').includes('listening on')) {
    if (child.exitCode !== null) throw new Error(`docker-registry: ${readFileSync(log, 'utf8')}`);
    await setTimeout(20);
  }
  return {
    host,
    requests: () =>
      Array.from(
        readFileSync(log, 'utf8').matchAll(/"((?:GET|HEAD|POST|PUT|PATCH) \S+) HTTP/g),
        ([, line = '']) => line,
      ),
    blobFile: (digest) => {
      const hex = digest.replace('sha256:', '');
      return `${folder}/data/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
    },
  };
}

/** That nothing listens at, a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
