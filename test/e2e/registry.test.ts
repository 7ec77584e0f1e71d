import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { freePort, localRegistry, type LocalRegistry } from '../support/local-registry.ts';
import { entriesBelow, oddImage, type OddImage } from '../support/odd-image.ts';
import { registryProxy } from '../support/registry-proxy.ts';
import { toyCertificate } from '../support/toy-certificate.ts';

const MUST = process.env['SANDBOX_MUST_WORK'] === '1';
const HAS_TOOLS = ['docker-registry', 'htpasswd', 'skopeo', 'umoci', 'buildah'].every(
  (tool) => spawnSync(tool, ['--version']).error === undefined,
);
const SECRET = 'pass word:"%$ä';
const LOGIN = { username: 'user', password: SECRET };

let work: Workplace;
let image: OddImage;
let open: LocalRegistry;
let closed: LocalRegistry;
beforeAll(async () => {
  if (!HAS_TOOLS && !MUST) return;
  work = await workplace();
  image = await oddImage(work);
  open = await localRegistry({ folder: work.path('open') });
  closed = await localRegistry({ folder: work.path('closed'), login: LOGIN });
});
afterAll(async () => {
  await open?.[Symbol.asyncDispose]();
  await closed?.[Symbol.asyncDispose]();
  await work?.[Symbol.asyncDispose]();
});

let stores = 0;
/** With another store than the one that pushes; nobody's login. */
function elsewhere(): { readonly home: string; readonly environment: Readonly<Record<string, string>> } {
  stores += 1;
  return { home: work.path(`store-${stores}`), environment: noLogin() };
}

function noLogin(): Readonly<Record<string, string>> {
  return { HOME: work.path('nobody'), XDG_RUNTIME_DIR: work.path('nobody'), DOCKER_CONFIG: '', REGISTRY_AUTH_FILE: '' };
}

function push(reference: string, environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return rootcellar(['push', image.name, reference, '--json', '-q'], {
    home: image.home,
    environment: { ...noLogin(), ...environment },
  });
}

function resultOf({ stdout, status }: Ended) {
  expect(status, stdout).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function errorOf({ stdout, stderr }: Ended): {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
} {
  expect(stdout + stderr).not.toContain(SECRET);
  expect(stdout + stderr).not.toContain(Buffer.from(`user:${SECRET}`).toString('base64'));
  const [problem, ...more] = JSON.parse(stdout.trim().split('\n').at(-1) ?? '').problems;
  expect(more).toEqual([]);
  return problem;
}

/** A folder with docker's settings. */
function written(name: string, content: unknown): string {
  mkdirSync(work.path(name), { recursive: true });
  writeFileSync(work.path(name, 'config.json'), JSON.stringify(content));
  return work.path(name);
}

function pull(reference: string): Promise<Ended> {
  return rootcellar(['pull', reference, '--json', '-q'], elsewhere());
}

describe.skipIf(!HAS_TOOLS && !MUST)('rootcellar push and pull', () => {
  it('brings an image to another store as it was', async () => {
    const { digest, images } = resultOf(await push(`${open.host}/team/odd:1`));
    const there = elsewhere();
    const pulled = resultOf(await rootcellar(['pull', `${open.host}/team/odd:1`, '--json', '-q'], there));
    expect(pulled).toMatchObject({ name: 'odd', generation: 1, diff_id: images[0].diff_id, known: false });
    // By digest, too; nothing is fetched again, and it is the same generation.
    const again = ['pull', `${open.host}/team/odd@${digest}`, '--json', '-q'];
    expect(resultOf(await rootcellar(again, there))).toMatchObject({ generation: 1, known: true });
    expect(await rootcellar(['verify', 'odd', '-q'], there)).toMatchObject({ status: 0 });
    expect(await rootcellar(['verify', '--store', '-q'], there)).toMatchObject({ status: 0 });
    // Pushed again from there, it is divided as before.
    const second = await rootcellar(['export', 'odd', '-o', work.path('again'), '--json', '-q'], there);
    const first = await rootcellar(['export', image.name, '-o', work.path('first'), '--json', '-q'], image);
    expect(resultOf(second)['images'][0].layers).toEqual(resultOf(first)['images'][0].layers);
  });

  it('pushes what skopeo, umoci and buildah read', async () => {
    resultOf(await push(`${open.host}/team/others:1`));
    const source = `docker://${open.host}/team/others:1`;
    await execa('skopeo', ['copy', '--src-tls-verify=false', source, `oci:${work.path('copied')}:one`]);
    await execa('umoci', ['unpack', '--image', `${work.path('copied')}:one`, work.path('bundle')]);
    // The root itself is in no layer.
    const [, ...entries] = (await entriesBelow(work.path('bundle/rootfs'))).split('\n');
    expect(entries).toEqual((await entriesBelow(image.folder)).split('\n').slice(1));
    const storage = ['--root', work.path('containers'), '--runroot', work.path('run'), '--storage-driver', 'vfs'];
    const { stdout } = await execa('buildah', [...storage, 'from', '--tls-verify=false', source]);
    const mounted = await execa('buildah', [...storage, 'mount', stdout.trim()]);
    expect(readFileSync(`${mounted.stdout.trim()}/usr/bin/another`, 'utf8')).toBe('one\n');
    await execa('buildah', [...storage, 'rm', stdout.trim()]);
  });

  it('sends nothing that is there, and has blobs mounted from another name', async () => {
    resultOf(await push(`${open.host}/team/before:1`));
    const seen = open.requests().length;
    const again = resultOf(await push(`${open.host}/team/before:2`));
    expect(again['blobs']).toMatchObject({ sent: 0, mounted: 0, bytes: 0 });
    expect(
      open
        .requests()
        .slice(seen)
        .filter((line) => line.includes('uploads')),
    ).toEqual([]);
    const other = resultOf(await push(`${open.host}/another/name:1`));
    expect(other['blobs']).toMatchObject({ sent: 0, there: 0, bytes: 0 });
    expect(other['blobs'].mounted).toBeGreaterThan(1);
    expect(open.requests().some((line) => line.startsWith('POST') && line.includes('mount='))).toBe(true);
  });

  it('follows TLS with an authority of the user’s', async () => {
    mkdirSync(work.path('tls'));
    const { authority } = toyCertificate(work.path('tls'));
    const tls = { certificate: work.path('tls/site.pem'), key: work.path('tls/site.key') };
    await using secure = await localRegistry({ folder: work.path('secure'), tls });
    expect(errorOf(await push(`${secure.host}/odd`))).toMatchObject({
      code: 'E_REGISTRY',
      message: expect.stringContaining('certificate is not trusted'),
    });
    resultOf(await push(`${secure.host}/odd`, { SSL_CERT_FILE: authority }));
  });

  it('has sent what a faulty way lets through, in pieces and again', async () => {
    let faults = 0;
    const large = /^PUT .*\/blobs\/uploads\//;
    await using proxy = await registryProxy(open.host, (line, headers) => {
      // No whole gets through, and every second piece breaks off.
      if (large.test(line) && headers['content-length'] !== '0') return { status: 413 };
      if (line.startsWith('PATCH')) faults += 1;
      return line.startsWith('PATCH') && faults % 2 === 1 ? 'cut' : 'pass';
    });
    const { blobs } = resultOf(await push(`${proxy.host}/faulty/one:1`));
    expect(blobs.sent).toBeGreaterThan(1);
    expect(faults).toBeGreaterThan(1);
    expect(
      resultOf(await rootcellar(['pull', `${open.host}/faulty/one:1`, '--json', '-q'], elsewhere())),
    ).toMatchObject({
      generation: 1,
    });
  });

  it('goes on where a download broke off', async () => {
    resultOf(
      await rootcellar(['push', image.name, `${open.host}/plain/one:1`, '--compression', 'none', '--json'], image),
    );
    const ranges: string[] = [];
    const cut = new Set<string>();
    await using proxy = await registryProxy(open.host, (line, headers) => {
      if (headers['range'] !== undefined) ranges.push(headers['range']);
      if (!line.includes('/blobs/') || cut.has(line)) return 'pass';
      cut.add(line);
      return 'cut';
    });
    resultOf(await rootcellar(['pull', `${proxy.host}/plain/one:1`, '--json', '-q'], elsewhere()));
    expect(ranges.some((range) => /^bytes=[1-9]\d*-$/.test(range))).toBe(true);
  });
});

describe.skipIf(!HAS_TOOLS && !MUST)('logins', () => {
  const auth = Buffer.from(`user:${SECRET}`).toString('base64');

  it('come from docker’s file', async () => {
    const DOCKER_CONFIG = written('docker', { auths: { [`https://${closed.host}/v1/`]: { auth } } });
    expect(resultOf(await push(`${closed.host}/a/b:1`, { DOCKER_CONFIG }))).toHaveProperty('digest');
  });

  it('come from podman’s file, the one for the nearest name', async () => {
    const wrong = Buffer.from('user:wrong').toString('base64');
    const folder = written('podman', { auths: { [closed.host]: { auth: wrong }, [`${closed.host}/a`]: { auth } } });
    const REGISTRY_AUTH_FILE = `${folder}/config.json`;
    resultOf(await push(`${closed.host}/a/c:1`, { REGISTRY_AUTH_FILE }));
    expect(errorOf(await push(`${closed.host}/b/c:1`, { REGISTRY_AUTH_FILE }))).toMatchObject({
      code: 'E_REGISTRY_DENIED',
      message: expect.stringContaining(REGISTRY_AUTH_FILE),
      hint: `docker login ${closed.host}`,
    });
  });

  it.each(['credHelpers', 'credsStore'])('come from a helper program (%s)', async (key) => {
    mkdirSync(work.path('bin'), { recursive: true });
    const answer = JSON.stringify({ ServerURL: closed.host, Username: 'user', Secret: SECRET });
    const script = `#!/bin/sh\n[ "$1" = get ] && host=$(cat) && [ "$host" = ${closed.host} ] || { echo 'credentials not found in native keychain'; exit 1; }\ncat <<'END'\n${answer}\nEND\n`;
    writeFileSync(work.path('bin/docker-credential-toy'), script);
    chmodSync(work.path('bin/docker-credential-toy'), 0o755);
    const DOCKER_CONFIG = written(`helper-${key}`, { [key]: key === 'credsStore' ? 'toy' : { [closed.host]: 'toy' } });
    const environment = {
      DOCKER_CONFIG,
      PATH: `${work.path('bin')}:${process.env['PATH']}`,
    };
    const pushed = resultOf(await push(`${closed.host}/a/${key.toLowerCase()}:1`, environment));
    expect(pushed).toHaveProperty('digest');
  });

  it.each([
    ['no login', {}, 'E_REGISTRY_DENIED', 'there is no `~/.docker/config.json`'],
    [
      'a helper that is missing',
      { credsStore: 'absent' },
      'E_CREDENTIALS',
      'docker-credential-absent`: is not on PATH',
    ],
    ['a helper’s name with a path', { credsStore: '../x' }, 'E_CREDENTIALS', 'has a name that no program has'],
    ['a file that is damaged', `{"auths": {"x": "${SECRET}`, 'E_CREDENTIALS', 'is not JSON'],
    ['an entry that is none', { auths: { HOST: { auth: 'AAAA' } } }, 'E_CREDENTIALS', 'no user and password'],
  ])('are told of in one error: %s', async (name, content, code, text) => {
    const settings = JSON.parse(JSON.stringify(content).replaceAll('HOST', closed.host));
    const folder = written(name.replaceAll(/\W/g, ''), settings);
    if (typeof content === 'string') writeFileSync(`${folder}/config.json`, content);
    const environment: Record<string, string> = name === 'no login' ? {} : { DOCKER_CONFIG: folder };
    const error = errorOf(await push(`${closed.host}/a/b:1`, environment));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });

  it('are in no error that a registry writes, whatever it repeats', async () => {
    await using proxy = await registryProxy(closed.host, (line, headers) => {
      if (!line.startsWith('POST') || headers.authorization === undefined) return 'pass';
      const body = JSON.stringify({ errors: [{ code: 'DENIED', message: `${headers.authorization} ${SECRET}` }] });
      return { status: 403, body };
    });
    const DOCKER_CONFIG = written('echo', { auths: { [proxy.host]: { auth } } });
    const error = errorOf(await push(`${proxy.host}/echo/b:1`, { DOCKER_CONFIG }));
    expect(error).toMatchObject({ code: 'E_REGISTRY_DENIED', message: expect.stringContaining('DENIED') });
  });
});

describe.skipIf(!HAS_TOOLS && !MUST)('faults of registries', () => {
  it('have one error each, and leave nothing', async () => {
    resultOf(await push(`${open.host}/faults/one:1`));
    const nobody = `127.0.0.1:${await freePort()}`;
    for (const [reference, words, code, text] of [
      ['no-such-host.invalid/a', [], 'E_REGISTRY', 'no such host'],
      [`${nobody}/a`, [], 'E_REGISTRY', 'refuses connections'],
      [`${open.host}/faults/none:1`, [], 'E_IMAGE_NOT_FOUND', 'it is not there'],
      [`${open.host}/faults/one:2`, [], 'E_IMAGE_NOT_FOUND', 'it is not there'],
      [`${open.host}/faults/one:1`, ['--arch', image.otherArchitecture], 'E_IMAGE_NOT_FOUND', 'is not for'],
      [`${open.host}/faults/one:1`, ['--name', 'a/b'], 'E_USAGE', 'is no name'],
      ['python', [], 'E_USAGE', 'names no registry'],
    ] as const) {
      const there = elsewhere();
      const error = errorOf(await rootcellar(['pull', reference, '--json', '-q', ...words], there));
      expect(error, reference).toMatchObject({ code, message: expect.stringContaining(text) });
      expect(resultOf(await rootcellar(['images', '--json', '-q'], there))['images']).toEqual([]);
    }
  });

  it('are seen when bytes are changed, and nothing gets a name', async () => {
    resultOf(await push(`${open.host}/faults/changed:1`));
    const { stdout } = await execa('skopeo', [
      'inspect',
      '--tls-verify=false',
      `docker://${open.host}/faults/changed:1`,
    ]);
    const [layer] = JSON.parse(stdout).Layers;
    const bytes = readFileSync(open.blobFile(layer));
    const changed = Buffer.from(bytes);
    changed[bytes.length - 9] = (changed[bytes.length - 9] ?? 0) ^ 1;
    await using proxy = await registryProxy(open.host, (line) =>
      line.includes(layer) ? { status: 200, body: changed.toString('latin1') } : 'pass',
    );
    expect(errorOf(await pull(`${proxy.host}/faults/changed:1`)).code).toBe('E_DIGEST_MISMATCH');
  });

  it('are tried again where they may pass', async () => {
    resultOf(await push(`${open.host}/faults/busy:1`));
    let busy = 0;
    await using proxy = await registryProxy(open.host, (line) => {
      busy += 1;
      return line.includes('/manifests/') && busy < 4 ? { status: 503 } : 'pass';
    });
    resultOf(await pull(`${proxy.host}/faults/busy:1`));
    expect(busy).toBeGreaterThan(4);
  });

  it('are no way to make an image pass for another', async () => {
    const name = `${open.host}/faults/label:1`;
    resultOf(await push(name));
    // The same layers under a label that promises another tar.
    await execa('skopeo', ['copy', '--src-tls-verify=false', `docker://${name}`, `oci:${work.path('label')}:one`]);
    await execa('umoci', [
      'config',
      '--image',
      `${work.path('label')}:one`,
      '--config.label',
      `rootcellar.diff_id=sha256:${'0'.repeat(64)}`,
    ]);
    const target = `docker://${open.host}/faults/label:2`;
    await execa('skopeo', ['copy', '--dest-tls-verify=false', `oci:${work.path('label')}:one`, target]);
    const error = errorOf(await pull(`${open.host}/faults/label:2`));
    expect(error).toMatchObject({ code: 'E_DIGEST_MISMATCH', message: expect.stringContaining('its layers give') });
  });

  it('leave no temporary files', () => {
    expect(readdirSync(`${image.home}/tmp`)).toEqual([]);
  });
});
