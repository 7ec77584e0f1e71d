import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf, hexOf, type Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { sealed, unsealed } from '../base/sealed-text.ts';
import type { GatePage, IndexGate } from './index-gate.ts';
import type { PythonFailure } from './python-failure.ts';
import type { PythonAnswer, PythonRequest } from './python-resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { uvArguments } from './uv-command.ts';

/** What uv answered, and all that it was told of the indexes before it did. */
interface Remembered {
  /** Digests of the pages that it asked for, by project. */
  readonly pages: readonly (readonly [string, Digest])[];
  readonly answer: PythonAnswer;
}

export interface Question {
  readonly request: PythonRequest;
  /** Of uv. */
  readonly version: string;
  readonly gate: IndexGate;
  readonly settings: Pick<ResolverSettings, 'cacheFolder'>;
}

const CONNECTIONS = 16;
const MOST_KEPT = 200;

/**
 * What `ask` gives; without asking, where uv was asked just this before and every page that it asked the gate for then is as it was.
 * uv sees nothing but its arguments, the request and those pages (`tool-variables.ts`), and metadata of files that the pages
 * name by digest. Files without a digest could be others by now: then nothing is remembered. What is kept is a convenience:
 * damaged or missing, it is passed over.
 */
export async function askOnce(
  question: Question,
  ask: () => Promise<PythonAnswer | PythonFailure>,
): Promise<PythonAnswer | PythonFailure> {
  const { gate } = question;
  const file = join(question.settings.cacheFolder, 'answers', hexOf(keyOf(question)));
  const kept = await readKept(file);
  if (kept !== undefined && (await areAsTheyWere(kept.pages, gate))) return kept.answer;
  const answer = await ask();
  const pages = [...gate.asked].map(([name, page]) => [name, pageDigest(page)] as const);
  const known = pages.flatMap(([name, digest]) => (digest === undefined ? [] : [[name, digest] as const]));
  if (answer.kind === 'answer' && gate.fault() === undefined && known.length === pages.length) {
    await keep(file, { pages: known, answer });
  }
  return answer;
}

function keyOf({ request, version }: Question): Digest {
  const { lines, constraints = [], preReleases = false, target, preferences } = request;
  const preferred = Object.fromEntries(preferences);
  const words = uvArguments(target, undefined);
  return digestOf(canonicalJson({ version, words, lines, constraints, preReleases, preferred, target: { ...target } }));
}

/** Asked for all at once; a page that cannot be had is told by whoever asks for it next. */
async function areAsTheyWere(pages: Remembered['pages'], gate: IndexGate): Promise<boolean> {
  const same = await pMap(
    pages,
    async ([name, digest]) => {
      const page = await gate.page(name).catch(() => undefined);
      return page !== undefined && pageDigest(page) === digest;
    },
    { concurrency: CONNECTIONS },
  );
  return same.every(Boolean);
}

/** Of all that the gate tells of a project; undefined where a file has no digest. */
function pageDigest({ isKnown, usable }: GatePage): Digest | undefined {
  if (usable.some(({ digest }) => digest === undefined)) return undefined;
  return digestOf(canonicalJson({ isKnown, files: usable.map(({ file, digest }) => [file, digest ?? null]) }));
}

async function readKept(file: string): Promise<Remembered | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  });
  const body = unsealed(text);
  const value: unknown = body === undefined ? undefined : JSON.parse(body);
  return isRemembered(value) ? value : undefined;
}

/** That the value is of its type follows from who wrote it. */
function isRemembered(value: unknown): value is Remembered {
  return typeof value === 'object' && value !== null && 'pages' in value && Array.isArray(value.pages);
}

async function keep(file: string, remembered: Remembered): Promise<void> {
  const folder = join(file, '..');
  const temporary = `${file}.${randomUUID()}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const others = await readdir(folder);
  if (others.length >= MOST_KEPT) {
    for (const name of others) await rm(join(folder, name), { force: true });
  }
  await writeFile(temporary, sealed(JSON.stringify(remembered)));
  await rename(temporary, file);
}
