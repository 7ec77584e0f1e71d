import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import { openHttpClient } from './http-client.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { fromWeb, indexFault, networkFault, readProjectPage } from './index-answer.ts';
import type { IndexPlan, LinkSource } from './index-plan.ts';
import { keyringLogin } from './keyring.ts';
import { openNetwork } from './network-agent.ts';
import { netrcLogin } from './netrc.ts';
import type { MachineIndexes } from './python-index.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { parseSimpleHtml } from './simple-page.ts';
import type { IndexFile } from './simple-page.ts';
import { projectOf } from './wheel-name.ts';

/** The package indexes of a recipe, as one. Answers are kept as long as it lives. */
export interface PackageIndex {
  /**
   * The files of a project: of `find_links`, and of the first index that knows the project, so that no other index can
   * slip in a file of that name. Throws E_DOWNLOAD, E_INDEX_DENIED and E_INDEX_INVALID.
   */
  readonly project: (name: string) => Promise<Project>;
  /** Bytes of a file: as the index says, else as the server that has it says. Throws E_DOWNLOAD. */
  readonly sizeOf: (file: IndexFile) => Promise<number>;
  /** As the index says, else of the bytes. Throws E_DOWNLOAD. */
  readonly digestOf: (file: IndexFile) => Promise<Digest>;
  readonly client: HttpClient;
}

export interface Project {
  readonly files: readonly IndexFile[];
  /** The index that knows it, as messages name it; undefined: none does. */
  readonly label: string | undefined;
}

export interface IndexAccess {
  readonly plan: IndexPlan;
  readonly machine: Pick<MachineIndexes, 'netrc' | 'keyring' | 'authorities' | 'proxy'>;
  readonly settings: ResolverSettings;
}

/** Runs `body` with the indexes, and closes the connections afterwards. */
export async function withPackageIndex<T>(access: IndexAccess, body: (index: PackageIndex) => Promise<T>): Promise<T> {
  const { plan, machine, settings } = access;
  const { environment, signal } = settings;
  const { authorities, proxy } = machine;
  const network = await openNetwork({ environment, trustedHosts: plan.trustedHosts, authorities, proxy });
  const client = openHttpClient({
    network,
    signal,
    loginFor: ({ hostname }) => (machine.netrc === undefined ? undefined : netrcLogin(machine.netrc, hostname)),
    loginAfterRefusal: async (url) => (machine.keyring ? await keyringLogin(url, settings) : undefined),
  });
  const projects = new Map<string, Promise<Project>>();
  const links = lazily(() => readAllLinks(plan.links, client));
  const digests = new Map<IndexFile, Promise<Digest>>();
  try {
    return await body({
      client,
      project: (wanted) => {
        const name = normalName(wanted);
        const found = projects.get(name) ?? findProject(name, { plan, client, links });
        projects.set(name, found);
        return found;
      },
      sizeOf: async (file) => file.size ?? (await lengthOf(file, client)),
      digestOf: (file) => {
        const found =
          digests.get(file) ?? (file.digest === undefined ? hashOf(file, client) : Promise.resolve(file.digest));
        digests.set(file, found);
        return found;
      },
    });
  } finally {
    await network.close();
  }
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

interface Search {
  readonly plan: IndexPlan;
  readonly client: HttpClient;
  readonly links: () => Promise<readonly IndexFile[]>;
}

async function findProject(name: string, { plan, client, links }: Search): Promise<Project> {
  const linked = (await links()).filter(({ file }) => projectOf(file) === name || isSourceOf(file, name));
  for (const source of plan.indexes) {
    const found = await readProjectPage({ name, source, client });
    if (found !== undefined) return { files: withoutRepeated([...linked, ...found]), label: source.label };
  }
  return { files: withoutRepeated(linked), label: undefined };
}

function isSourceOf(file: string, name: string): boolean {
  const [, project] = /^(.+)-\d[^-]*\.(?:tar\.gz|zip|tgz|tar\.bz2)$/.exec(file) ?? [];
  return project !== undefined && normalName(project) === name;
}

function withoutRepeated(files: readonly IndexFile[]): readonly IndexFile[] {
  const seen = new Set<string>();
  return files.filter(({ file }) => seen.size !== seen.add(file).size);
}

async function readAllLinks(sources: readonly LinkSource[], client: HttpClient): Promise<readonly IndexFile[]> {
  const all = await Promise.all(sources.map((source) => readLinks(source, client)));
  return all.flat();
}

async function readLinks(source: LinkSource, client: HttpClient): Promise<readonly IndexFile[]> {
  const found = source.address.startsWith('file:') ? await readLocalLinks(source) : await readLinkPage(source, client);
  const from = { findLinks: source.identity };
  return found.map((file) => Object.assign({}, file, { from }));
}

async function readLinkPage(source: LinkSource, client: HttpClient): Promise<readonly IndexFile[]> {
  const { text, url } = await readText(source, client);
  return fromWeb(parseSimpleHtml(text, url));
}

async function readText(
  source: LinkSource,
  client: HttpClient,
): Promise<{ readonly text: string; readonly url: string }> {
  const fault = (detail: string): RootcellarError => indexFault({ label: source.label, kind: 'download', detail });
  const answer = await client.send({ url: source.address, method: 'GET' }).catch((error: unknown) => {
    throw error instanceof RootcellarError ? error : fault(networkFault(error));
  });
  if (answer.status === 401 || answer.status === 403)
    throw indexFault({ label: source.label, kind: 'denied', detail: String(answer.status) });
  if (answer.status !== 200) throw fault(`HTTP status ${answer.status}`);
  return { text: await answer.body.text(), url: answer.url };
}

async function readLocalLinks({ address, label }: LinkSource): Promise<readonly IndexFile[]> {
  const path = fileURLToPath(address);
  try {
    if (!(await stat(path)).isDirectory()) return parseSimpleHtml(await readFile(path, 'utf8'), address);
    return (await readdir(path))
      .filter((file) => /\.(?:whl|tar\.gz|zip)$/.test(file))
      .map((file) => localFile(`${path}/${file}`));
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR') && !isErrno(error, 'EACCES')) throw error;
    throw new RootcellarError('E_DOWNLOAD', `find_links: ${label} cannot be read`, {
      hint: 'create the folder, or remove it from the recipe',
      cause: error,
    });
  }
}

/** A file of this machine; its digest and size are found out when they are needed. */
export function localFile(path: string): IndexFile {
  return {
    file: path.slice(path.lastIndexOf('/') + 1),
    url: pathToFileURL(path).href,
    digest: undefined,
    size: undefined,
    uploaded: undefined,
    yanked: false,
    requiresPython: undefined,
    hasMetadata: false,
  };
}

async function lengthOf(file: IndexFile, client: HttpClient): Promise<number> {
  if (file.url.startsWith('file:')) return (await stat(fileURLToPath(file.url))).size;
  const answer = await sendFor(file, client, 'HEAD');
  await answer.body.dump();
  const length = Number(answer.headers['content-length'] ?? 'none');
  if (answer.status === 200 && Number.isSafeInteger(length)) return length;
  // Some servers know no HEAD, and some give no length before they send.
  const whole = await sendFor(file, client, 'GET');
  if (whole.status !== 200) {
    await whole.body.dump();
    throw unavailable(file, `its size cannot be found out, HTTP status ${whole.status}`);
  }
  let size = 0;
  for await (const chunk of whole.body as AsyncIterable<Uint8Array>) size += chunk.length;
  return size;
}

async function hashOf(file: IndexFile, client: HttpClient): Promise<Digest> {
  const hash = createHash('sha256');
  const body: AsyncIterable<Uint8Array> = file.url.startsWith('file:')
    ? createReadStream(fileURLToPath(file.url))
    : await wholeBody(file, client);
  for await (const chunk of body) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

async function wholeBody(file: IndexFile, client: HttpClient): Promise<AsyncIterable<Uint8Array>> {
  const answer = await sendFor(file, client, 'GET');
  if (answer.status === 200) return answer.body;
  await answer.body.dump();
  throw unavailable(file, `HTTP status ${answer.status}`);
}

async function sendFor(file: IndexFile, client: HttpClient, method: 'GET' | 'HEAD'): Promise<HttpAnswer> {
  return await client.send({ url: file.url, method }).catch((error: unknown) => {
    throw error instanceof RootcellarError ? error : unavailable(file, networkFault(error));
  });
}

function unavailable({ file }: IndexFile, detail: string): RootcellarError {
  return new RootcellarError('E_DOWNLOAD', `python package file \`${file}\`: ${detail}`, {
    hint: 'check the network, the proxy and the index settings of uv or pip, then try again',
  });
}
