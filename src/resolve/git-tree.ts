import { RootcellarError } from '../base/rootcellar-error.ts';
import { gitFault, runGit, type Checkout, type GitResult } from './git-program.ts';
import type { CommitFile } from './wheel-builder.ts';

export interface CommitContent {
  /** Seconds since 1970. */
  readonly time: number;
  readonly files: readonly CommitFile[];
  readonly submodules: readonly string[];
}

/** The bounds of sources of every kind; see `sourceTree`. Checked here before anything is read. */
const LARGEST = 512 * 1024 ** 2;
const MOST_FILES = 100_000;

const KINDS: ReadonlyMap<string, CommitFile['kind']> = new Map([
  ['100644', 'file'],
  ['100664', 'file'],
  ['100755', 'executable'],
  ['120000', 'symlink'],
]);

/** The files of a commit as they are in the repository. Throws E_DOWNLOAD, and E_ARTIFACT_INVALID for one that is far too large. */
export async function readCommitFiles(checkout: Checkout, commit: string): Promise<CommitContent> {
  const header = latin1(await git(checkout, ['cat-file', 'commit', commit]));
  const time = Number(/^committer .* (\d{1,12}) [+-]\d{4}$/m.exec(header.split('\n\n', 1)[0] ?? '')?.[1] ?? 0);
  const listed = Buffer.from((await git(checkout, ['ls-tree', '-r', '-z', '-l', '--full-tree', commit])).stdout);
  const rows = utf8(listed, checkout)
    .split('\0')
    .filter((row) => row !== '')
    .map((row) => rowOf(row, checkout));
  const blobs = rows.filter(({ mode }) => mode !== '160000');
  const size = blobs.reduce((sum, row) => sum + row.size, 0);
  if (size > LARGEST || blobs.length > MOST_FILES) throw invalid(checkout, 'the commit holds far too much');
  const contents = await readBlobs(checkout, blobs);
  const files = blobs.map(({ path, mode }, index): CommitFile => {
    const kind = KINDS.get(mode);
    if (kind === undefined) throw invalid(checkout, `${JSON.stringify(path)} has the unknown mode ${mode}`);
    return { path, kind, content: contents[index] ?? new Uint8Array() };
  });
  return { time, files, submodules: rows.filter(({ mode }) => mode === '160000').map(({ path }) => path) };
}

interface Row {
  readonly mode: string;
  readonly id: string;
  readonly size: number;
  readonly path: string;
}

function rowOf(text: string, checkout: Checkout): Row {
  const [, mode, id, size, path] = /^(\d{6}) \w+ ([0-9a-f]{40,64}) +(\d+|-)\t([^]+)$/.exec(text) ?? [];
  if (mode === undefined || id === undefined || path === undefined)
    throw invalid(checkout, 'its list of files cannot be read');
  return { mode, id, size: size === '-' ? 0 : Number(size), path };
}

/** In the order of `rows`. */
async function readBlobs(checkout: Checkout, rows: readonly Row[]): Promise<readonly Uint8Array[]> {
  const input = rows.map(({ id }) => `${id}\n`).join('');
  const output = Buffer.from((await git(checkout, ['cat-file', '--batch'], input)).stdout);
  let at = 0;
  return rows.map(({ id, size }) => {
    const start = output.indexOf(10, at) + 1;
    if (start === 0 || output.toString('latin1', at, start) !== `${id} blob ${size}\n`) {
      throw invalid(checkout, 'a file of the commit cannot be read');
    }
    at = start + size + 1;
    return output.subarray(start, start + size);
  });
}

async function git(checkout: Checkout, words: readonly string[], input?: string): Promise<GitResult> {
  const result = await runGit(checkout, words, input);
  if (result.exitCode === 0) return result;
  throw gitFault(checkout, result);
}

function latin1({ stdout }: GitResult): string {
  return Buffer.from(stdout).toString('latin1');
}

function utf8(bytes: Uint8Array, checkout: Checkout): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(checkout, 'the name of a file is not UTF-8');
  }
}

function invalid({ name }: Checkout, fault: string): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `repository of \`${name}\`: ${fault}`, {
    hint: 'choose another commit of it',
  });
}
