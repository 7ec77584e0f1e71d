import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startFileServer, type FileServer } from './file-server.ts';

const run = promisify(execFile);

/** A Debian package of a few bytes. */
export interface ToyDeb {
  readonly name: string;
  readonly version: string;
  /** `all` when not given. */
  readonly architecture?: string;
  /** More control fields, such as `{ Depends: 'b (>= 1)' }`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Content by path, such as `{ 'usr/bin/x': '…' }`. */
  readonly files?: Readonly<Record<string, ToyFile>>;
  /** Maintainer scripts by name, such as `{ postinst: '#!/bin/sh\n' }`. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** `main` when not given. */
  readonly component?: string;
}

/** `link` makes a symbolic link, `program` a file that can be executed. */
export type ToyFile = string | Uint8Array | { readonly link: string } | { readonly program: Uint8Array };

export interface ToyArchiveOptions {
  /** Packages by suite, such as `{ trixie: [...], 'trixie-security': [...] }`. */
  readonly suites: Readonly<Record<string, readonly ToyDeb[]>>;
  /** Architectures that each suite has an index for; `amd64` when not given. */
  readonly architectures?: readonly string[];
  /** `Date` of the InRelease files. */
  readonly date?: string;
  /** Whether the suites have Contents indexes. */
  readonly contents?: boolean;
}

/**
 * A signed Debian archive over HTTP on loopback, made anew with its own key. Paths below its root are as in Debian:
 * `/debian/dists/SUITE/InRelease`, `/debian/pool/…`.
 */
export interface ToyArchive extends AsyncDisposable {
  /** Root of the archive, for a `URIs:` line or `base.debian.mirror`. */
  readonly url: string;
  /** For `Signed-By:`. */
  readonly keyring: string;
  readonly server: FileServer;
  /** Path (with a leading slash) by `name_version`, for `server.files` and `server.faults`. */
  readonly debs: ReadonlyMap<string, string>;
  /** Text of a `.sources` file for these suites. */
  readonly sources: (suites: readonly string[]) => string;
  /** Builds the archive again with other packages (a new release), same key and address. */
  readonly publish: (options: ToyArchiveOptions) => Promise<void>;
  readonly tamper: (how: ArchiveTampering, suite: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * `bad-signature`: InRelease was changed after it was signed. `other-key`: signed well, by a key nobody trusts.
 * `unsigned`: only a Release file. `packages`: Packages was changed after InRelease was signed.
 */
export type ArchiveTampering = 'bad-signature' | 'other-key' | 'unsigned' | 'packages';

/** Makes dpkg-deb give the same bytes for the same package. */
const REPRODUCIBLE = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };

const DATE = 'Sat, 12 Sep 2026 07:55:41 UTC';

/** Needs dpkg-deb and gpg. Takes some 100 ms. Close it (or hold it by `await using`) when done. */
export async function startToyArchive(options: ToyArchiveOptions): Promise<ToyArchive> {
  const folder = await mkdtemp(join(tmpdir(), 'toy-archive-'));
  const server = await startFileServer();
  const homes = [join(folder, 'gpg'), join(folder, 'other')];
  const keyring = join(folder, 'toy-keyring.gpg');
  await makeKey(join(folder, 'gpg'), keyring);
  const debs = new Map<string, string>();
  const publish = (next: ToyArchiveOptions): Promise<void> => publishSuites(next, { folder, server, debs });
  await publish(options);
  const close = async (): Promise<void> => {
    await server.close();
    await Promise.all(homes.map((home) => run('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => undefined)));
    await rm(folder, { recursive: true, force: true });
  };
  const url = `${server.url}/debian`;
  return {
    url,
    keyring,
    server,
    debs,
    sources: (suites) =>
      `Types: deb\nURIs: ${url}\nSuites: ${suites.join(' ')}\nComponents: main\nSigned-By: ${keyring}\n`,
    publish,
    tamper: (how, suite) => tamper(how, { suite, folder, server }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Workshop {
  readonly folder: string;
  readonly server: FileServer;
  readonly debs: Map<string, string>;
}

async function makeKey(home: string, keyring: string): Promise<void> {
  await mkdir(home, { mode: 0o700 });
  const gpg = ['--homedir', home, '--batch', '--quiet'];
  await run('gpg', [
    ...gpg,
    '--passphrase',
    '',
    '--quick-gen-key',
    'Toy <toy@example.invalid>',
    'ed25519',
    'sign',
    'never',
  ]);
  await run('gpg', [...gpg, '--output', keyring, '--export']);
}

async function publishSuites(options: ToyArchiveOptions, workshop: Workshop): Promise<void> {
  const suites = Object.entries(options.suites);
  await Promise.all(suites.map(([suite, debs]) => publishSuite({ suite, debs, options, workshop })));
}

async function publishSuite({
  suite,
  debs,
  options,
  workshop,
}: {
  readonly suite: string;
  readonly debs: readonly ToyDeb[];
  readonly options: ToyArchiveOptions;
  readonly workshop: Workshop;
}): Promise<void> {
  const stanzas = await Promise.all(
    debs.map(async (deb) => ({
      component: deb.component ?? 'main',
      architecture: deb.architecture ?? 'all',
      text: await publishDeb(deb, workshop),
    })),
  );
  const components = [...new Set(['main', ...stanzas.map((stanza) => stanza.component)])];
  const architectures = options.architectures ?? ['amd64'];
  const indexes = new Map<string, Uint8Array>();
  for (const component of components) {
    for (const architecture of architectures) {
      const mine = stanzas.filter(
        (stanza) => stanza.component === component && ['all', architecture].includes(stanza.architecture),
      );
      const packages = Buffer.from(mine.map((stanza) => `${stanza.text}\n`).join(''));
      indexes.set(`${component}/binary-${architecture}/Packages`, packages);
      if (options.contents === true) {
        indexes.set(`${component}/Contents-${architecture}`, contentsIndex(debs, component, architecture));
      }
    }
  }
  const release = releaseText({ suite, components, architectures, indexes, date: options.date ?? DATE });
  for (const [path, content] of indexes) workshop.server.files.set(`/debian/dists/${suite}/${path}`, { content });
  await sign(release, suite, { ...workshop, home: 'gpg' });
}

function contentsIndex(debs: readonly ToyDeb[], component: string, architecture: string): Uint8Array {
  const rows = new Map<string, string[]>();
  for (const deb of debs) {
    if ((deb.component ?? 'main') !== component || deb.architecture !== architecture) continue;
    for (const path of Object.keys(deb.files ?? {})) rows.set(path, [...(rows.get(path) ?? []), `libs/${deb.name}`]);
  }
  return Buffer.from([...rows].map(([path, names]) => `${path.padEnd(50)} ${names.join(',')}\n`).join(''));
}

async function publishDeb(deb: ToyDeb, { folder, server, debs }: Workshop): Promise<string> {
  const architecture = deb.architecture ?? 'all';
  const tree = await mkdtemp(join(folder, 'deb-'));
  const fields = {
    Package: deb.name,
    Version: deb.version,
    Architecture: architecture,
    Maintainer: 'Toy <toy@example.invalid>',
    Description: 'toy',
    ...deb.fields,
  };
  const control = Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
  await mkdir(join(tree, 'DEBIAN'));
  await writeFile(join(tree, 'DEBIAN/control'), control);
  await Promise.all(
    Object.entries(deb.scripts ?? {}).map(([name, text]) =>
      writeFile(join(tree, 'DEBIAN', name), text, { mode: 0o755 }),
    ),
  );
  await Promise.all(Object.entries(deb.files ?? {}).map(([path, content]) => makeFile(join(tree, path), content)));
  const file = `${tree}.deb`;
  await run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z0', '--build', tree, file], { env: REPRODUCIBLE });
  const content = await readFile(file);
  const path = `pool/main/${deb.name[0] ?? ''}/${deb.name}/${deb.name}_${deb.version.replace(/^\d+:/, '')}_${architecture}.deb`;
  server.files.set(`/debian/${path}`, { content });
  debs.set(`${deb.name}_${deb.version}`, `/debian/${path}`);
  return `${control}Filename: ${path}\nSize: ${content.length}\nSHA256: ${sha256(content)}\n`;
}

async function makeFile(path: string, content: ToyFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(path, content);
  else if ('link' in content) await symlink(content.link, path);
  else await writeFile(path, content.program, { mode: 0o755 });
}

function releaseText(release: {
  readonly suite: string;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly date: string;
}): string {
  const sums = [...release.indexes].map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}\n`);
  return [
    'Origin: Toy\nLabel: Toy\n',
    `Suite: ${release.suite}\nCodename: ${release.suite}\nDate: ${release.date}\n`,
    `Architectures: ${release.architectures.join(' ')}\nComponents: ${release.components.join(' ')}\nSHA256:\n`,
    ...sums,
  ].join('');
}

async function sign(
  release: string,
  suite: string,
  { folder, server, home }: { readonly folder: string; readonly server: FileServer; readonly home: string },
): Promise<void> {
  const plain = join(folder, `${suite}-Release`);
  const signed = join(folder, `${suite}-InRelease`);
  await writeFile(plain, release);
  await rm(signed, { force: true });
  await run('gpg', ['--homedir', join(folder, home), '--batch', '--quiet', '--clearsign', '--output', signed, plain]);
  const modified = Date.parse(/^Date: (.*)$/m.exec(release)?.[1] ?? '');
  server.files.set(`/debian/dists/${suite}/InRelease`, { content: await readFile(signed), modified });
}

async function tamper(
  how: ArchiveTampering,
  { suite, folder, server }: { readonly suite: string; readonly folder: string; readonly server: FileServer },
): Promise<void> {
  const root = `/debian/dists/${suite}`;
  const inRelease = Buffer.from(server.files.get(`${root}/InRelease`)?.content ?? []).toString();
  const release = /\n\n([^]*?)-----BEGIN PGP SIGNATURE/.exec(inRelease)?.[1] ?? '';
  if (how === 'bad-signature') {
    const content = Buffer.from(inRelease.replace('Label: Toy', 'Label: Boy'));
    server.files.set(`${root}/InRelease`, { content });
  } else if (how === 'unsigned') {
    server.files.delete(`${root}/InRelease`);
    server.files.set(`${root}/Release`, { content: Buffer.from(release) });
  } else if (how === 'other-key') {
    await makeKey(join(folder, 'other'), join(folder, 'other-keyring.gpg'));
    await sign(release, suite, { folder, server, home: 'other' });
  } else {
    const path = `${root}/main/binary-amd64/Packages`;
    const content = Buffer.from(server.files.get(path)?.content ?? []);
    server.files.set(path, {
      content: Buffer.from(content.toString().replace('Description: toy', 'Description: yot')),
    });
  }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
