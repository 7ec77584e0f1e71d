import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { valid } from '@renovatebot/pep440';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { gitFault, runGit, type Checkout, type GitResult } from './git-program.ts';
import { readCommitFiles } from './git-tree.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { withTemporaryFolder } from './temporary-folder.ts';
import type { CommitFiles } from './wheel-builder.ts';

export interface GitRequest {
  /** Of the requirement, for messages. */
  readonly name: string;
  /** May hold credentials. */
  readonly address: string;
  /** Branch, tag or commit; undefined: the repository's default. */
  readonly revision: string | undefined;
}

export interface GitCommit extends CommitFiles {
  /** A tag of the commit that is a version. */
  readonly tag: string | undefined;
  /** Paths of submodules, which are not among the files. */
  readonly submodules: readonly string[];
}

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Gets the files of a commit, without a checkout: nothing of the repository is executed, no filter or attribute is applied.
 * Throws E_DOWNLOAD, E_REQUIREMENT_UNKNOWN for a revision that is not there, E_RESOLVER_MISSING where there is no git.
 */
export async function readRepository(request: GitRequest, settings: ResolverSettings): Promise<GitCommit> {
  return await withTemporaryFolder(settings.temporaryFolder, async (folder) => {
    const checkout: Checkout = { ...request, folder, settings };
    const refs = await remoteRefs(checkout);
    const wanted = wantedCommit(request, refs);
    await initialise(checkout, (wanted ?? refs[0]?.id ?? '').length);
    const commit = await fetchCommit(checkout, wanted, request.revision ?? 'HEAD');
    const { files, time, submodules } = await readCommitFiles(checkout, commit);
    return { commit, files, time, submodules, tag: versionTag(refs, commit) };
  });
}

interface Ref {
  readonly id: string;
  /** Such as `refs/tags/v1.0`. */
  readonly name: string;
}

/** Branches, tags and HEAD; an annotated tag stands for its commit. */
async function remoteRefs(checkout: Checkout): Promise<readonly Ref[]> {
  await mkdir(join(checkout.folder, 'git'));
  const result = await runGit(checkout, ['ls-remote', 'origin', 'HEAD', 'refs/heads/*', 'refs/tags/*']);
  const lines = textOf(expectSuccess(checkout, result)).split('\n');
  const refs = new Map<string, string>();
  for (const line of lines) {
    const [, id, name, peeled] = /^([0-9a-f]{40,64})\t([^\s^]+)(\^\{\})?$/.exec(line) ?? [];
    if (id === undefined || name === undefined) continue;
    if (peeled !== undefined || !refs.has(name)) refs.set(name, id);
  }
  return [...refs].map(([name, id]) => ({ name, id }));
}

/** Undefined: it may be an abbreviated commit. */
function wantedCommit({ name, revision }: GitRequest, refs: readonly Ref[]): string | undefined {
  if (revision !== undefined && COMMIT.test(revision)) return revision;
  const idOf = (ref: string): string | undefined => refs.find((one) => one.name === ref)?.id;
  if (revision === undefined) {
    const head = idOf('HEAD');
    if (head !== undefined) return head;
    throw unknownRevision(name, 'HEAD');
  }
  const [tag, branch] = [idOf(`refs/tags/${revision}`), idOf(`refs/heads/${revision}`)];
  if (tag !== undefined && branch !== undefined && tag !== branch) {
    throw new RootcellarError(
      'E_REQUIREMENT_UNKNOWN',
      `repository of \`${name}\`: \`${revision}\` is a tag and a branch`,
      {
        hint: `write \`@refs/tags/${revision}\` or \`@refs/heads/${revision}\``,
      },
    );
  }
  const found = tag ?? branch ?? idOf(revision);
  if (found === undefined && !/^[0-9a-f]{7,63}$/.test(revision)) throw unknownRevision(name, revision);
  return found;
}

function unknownRevision(name: string, revision: string): RootcellarError {
  return new RootcellarError(
    'E_REQUIREMENT_UNKNOWN',
    `repository of \`${name}\`: has no branch, tag or commit \`${revision}\``,
    {
      hint: 'check its spelling after the `@`',
    },
  );
}

async function initialise(checkout: Checkout, idLength: number): Promise<void> {
  const format = idLength === 64 ? ['--object-format=sha256'] : [];
  const result = await runGit(checkout, ['init', '--quiet', '--bare', '--template=', ...format]);
  expectSuccess(checkout, result);
}

/** That commit alone where the server gives it; else all branches and tags. Returns the commit's full id. */
async function fetchCommit(checkout: Checkout, wanted: string | undefined, revision: string): Promise<string> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'];
  const shallow = wanted === undefined ? undefined : await runGit(checkout, [...fetch, '--depth=1', 'origin', wanted]);
  if (shallow?.exitCode !== 0) {
    const all = await runGit(checkout, [...fetch, 'origin', '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']);
    expectSuccess(checkout, all);
  }
  const found = await runGit(checkout, ['rev-parse', '--quiet', '--verify', `${wanted ?? revision}^{commit}`]);
  const commit = textOf(found).trim();
  if (found.exitCode === 0 && COMMIT.test(commit)) return commit;
  throw unknownRevision(checkout.name, revision);
}

/** The highest version where several tags are on one commit. */
function versionTag(refs: readonly Ref[], commit: string): string | undefined {
  const tags = refs.flatMap(({ id, name }) => (id === commit && name.startsWith('refs/tags/') ? [name.slice(10)] : []));
  const versions = tags.filter(
    (tag) => /^[0-9A-Za-z][0-9A-Za-z._+/-]{0,127}$/.test(tag) && tagVersion(tag) !== undefined,
  );
  return versions.toSorted((a, b) => b.length - a.length || (a < b ? 1 : -1))[0];
}

/** The version in a tag such as `v1.2`, `release-1.2` or `1.2`; undefined: it is none. */
export function tagVersion(tag: string): string | undefined {
  const [, text] = /^(?:[A-Za-z][0-9A-Za-z._/-]*?[-_/])?v?(\d[0-9A-Za-z.+!]*)$/.exec(tag) ?? [];
  return text === undefined ? undefined : (valid(text) ?? undefined);
}

function expectSuccess(checkout: Checkout, result: GitResult): GitResult {
  if (result.exitCode === 0) return result;
  throw gitFault(checkout, result);
}

function textOf({ stdout }: GitResult): string {
  return Buffer.from(stdout).toString('utf8');
}
