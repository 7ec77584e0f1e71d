import { join } from 'node:path';
import { geteuid } from 'node:process';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { ArtifactSource } from '../store/artifacts.ts';
import { recordFrom } from '../store/json-shape.ts';
import { openRegularFile } from '../store/open-file.ts';
import { askHelper } from './credential-helper.ts';

/** What a registry is to be told. */
export type Credentials =
  | { readonly kind: 'login'; readonly username: string; readonly password: string }
  /** To be exchanged for a token. */
  | { readonly kind: 'identity'; readonly token: string }
  /** To be sent as it is. */
  | { readonly kind: 'token'; readonly token: string };

export interface FoundCredentials {
  readonly credentials: Credentials | undefined;
  /** Where they are from, or where nothing was found; for people. */
  readonly where: string;
}

export interface CredentialSearch {
  /** As `ImageReference` has it. */
  readonly registry: string;
  readonly repository: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const LARGEST_FILE = 4 * 1024 ** 2;

/**
 * Looks where docker, podman, skopeo and buildah keep logins: in their files, or by the helper programs that these name. The
 * first file that has one counts. Throws E_CREDENTIALS for a file or a helper that is broken, without telling what it holds.
 * Source: containers-auth.json(5); Docker's reference, "docker login".
 */
export async function findCredentials(search: CredentialSearch): Promise<FoundCredentials> {
  const asked: string[] = [];
  for (const file of credentialFiles(search.environment)) {
    const text = await readIfThere(file);
    if (text === undefined) continue;
    asked.push(`\`${file}\``);
    const credentials = await credentialsIn({ ...search, file, settings: parseFile(file, text) });
    if (credentials !== undefined) return { credentials, where: `\`${file}\`` };
  }
  const where =
    asked.length === 0 ? 'there is no `~/.docker/config.json` or `auth.json`' : `none in ${asked.join(', ')}`;
  return { credentials: undefined, where };
}

function credentialFiles(environment: CredentialSearch['environment']): readonly string[] {
  const get = (name: string): string | undefined => environment[name] || undefined;
  const home = get('HOME');
  const runtime = get('XDG_RUNTIME_DIR') ?? (geteuid === undefined ? undefined : `/run/containers/${geteuid()}`);
  const own = runtime === undefined ? undefined : runtimeFile(runtime, get('XDG_RUNTIME_DIR') !== undefined);
  const config = get('XDG_CONFIG_HOME') ?? (home === undefined ? undefined : join(home, '.config'));
  const docker = get('DOCKER_CONFIG') ?? (home === undefined ? undefined : join(home, '.docker'));
  const files = [
    get('REGISTRY_AUTH_FILE') ?? own,
    config === undefined ? undefined : join(config, 'containers/auth.json'),
    docker === undefined ? undefined : join(docker, 'config.json'),
  ];
  // A folder that is named wins over those that are only usual.
  const ordered =
    get('DOCKER_CONFIG') === undefined || get('REGISTRY_AUTH_FILE') ? files : [files[2], ...files.slice(0, 2)];
  return ordered.filter((file) => file !== undefined);
}

function runtimeFile(folder: string, isOfUser: boolean): string {
  return join(folder, isOfUser ? 'containers/auth.json' : 'auth.json');
}

interface CredentialFile extends CredentialSearch {
  readonly file: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** As docker asks: the registry's helper, the helper for all, the file itself. */
async function credentialsIn(found: CredentialFile): Promise<Credentials | undefined> {
  const { settings, file, registry, environment, signal } = found;
  const helpers = recordAt(settings, 'credHelpers', file);
  const keys = registryKeys(registry);
  const own = keys.map((key) => helpers[key]).find((helper) => helper !== undefined);
  const common = settings['credsStore'];
  for (const helper of [own, common]) {
    if (typeof helper !== 'string' || helper === '') continue;
    const answer = await askHelper({ helper, file, keys, environment, signal });
    if (answer !== undefined) return answer;
  }
  const auths = recordAt(settings, 'auths', file);
  const byName = new Map(Object.entries(auths).map(([key, value]) => [plainKey(key), value]));
  const wanted = [...namespacesOf(found), ...keys.map(plainKey)];
  for (const key of wanted) {
    const value = byName.get(key);
    const credentials = value === undefined ? undefined : entryCredentials(value, file);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

/** What tools have written for a registry; Docker Hub's name in them is an old address. */
function registryKeys(registry: string): readonly string[] {
  if (registry !== 'docker.io')
    return [registry, `https://${registry}`, `https://${registry}/v1/`, `https://${registry}/v2/`];
  return ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io', 'registry-1.docker.io'];
}

/** `host/team/name`, `host/team`: the nearest first. */
function namespacesOf({ registry, repository }: CredentialSearch): readonly string[] {
  const names = repository.split('/');
  return names.map((_, index) => `${registry}/${names.slice(0, names.length - index).join('/')}`);
}

function plainKey(key: string): string {
  return key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '')
    .toLowerCase();
}

function entryCredentials(value: unknown, file: string): Credentials | undefined {
  const entry = asRecord(value, file);
  const text = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
  if (text('identitytoken') !== '') return { kind: 'identity', token: text('identitytoken') };
  if (text('registrytoken') !== '') return { kind: 'token', token: text('registrytoken') };
  if (text('username') !== '') return { kind: 'login', username: text('username'), password: text('password') };
  const plain = Buffer.from(text('auth'), 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = plain.indexOf(':');
  if (text('auth') === '') return undefined;
  if (colon < 1) throw broken(file, 'an entry of `auths` is no user and password in base64');
  return { kind: 'login', username: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

function parseFile(file: string, text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {};
  try {
    return recordFrom(JSON.parse(text));
  } catch {
    // What the parser says would show a part of the file.
    throw broken(file, 'is not JSON as docker and podman write it');
  }
}

function recordAt(
  settings: Readonly<Record<string, unknown>>,
  key: string,
  file: string,
): Readonly<Record<string, unknown>> {
  return settings[key] === undefined || settings[key] === null ? {} : asRecord(settings[key], file);
}

function asRecord(value: unknown, file: string): Readonly<Record<string, unknown>> {
  try {
    return recordFrom(value);
  } catch (cause) {
    throw broken(file, 'is not as docker and podman write it', cause);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  // What is typed for "no logins".
  if (file === '/dev/null') return '';
  const source = await openIfThere(file);
  if (source === undefined) return undefined;
  try {
    if (source.size > LARGEST_FILE) throw broken(file, 'is larger than 4 MiB');
    return Buffer.from(await source.read(0, source.size)).toString('utf8');
  } finally {
    await source.close();
  }
}

async function openIfThere(file: string): Promise<ArtifactSource | undefined> {
  try {
    const source = await openRegularFile(file);
    if (source !== undefined) return source;
  } catch (cause) {
    if (isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR')) return undefined;
    // Other users' folders, such as root's, are none of ours.
    if (isErrno(cause, 'EACCES')) return undefined;
    throw broken(file, 'cannot be read', cause);
  }
  throw broken(file, 'is not a regular file');
}

function broken(file: string, fault: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_CREDENTIALS', `\`${file}\`: ${fault}`, {
    hint: 'docker login HOST, which writes it anew',
    cause,
  });
}
