import { execa } from 'execa';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { recordFrom, textFrom } from '../store/json-shape.ts';
import type { Credentials } from './registry-credentials.ts';

export interface HelperQuestion {
  /** What stands behind `docker-credential-` in its name. */
  readonly helper: string;
  /** That names it. */
  readonly file: string;
  /** Names of the registry, to be asked for in turn. */
  readonly keys: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 60_000;
const MOST_OUTPUT = 1024 ** 2;
/** Says that the secret is no password but a token that gives tokens. */
const TOKEN_USER = '<token>';

/**
 * Asks a credential helper. Undefined when it knows none of the names. Nothing that it prints is shown, but for its own words
 * when it fails. Throws E_CREDENTIALS when it is missing, fails or answers something else, E_CANCELLED.
 * Source: Docker's credential-helpers, "Development".
 */
export async function askHelper(question: HelperQuestion): Promise<Credentials | undefined> {
  if (!/^[\w.-]{1,64}$/.test(question.helper)) throw failed(question, 'has a name that no program has');
  for (const key of question.keys) {
    const answer = await ask(question, key);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function ask(question: HelperQuestion, key: string): Promise<Credentials | undefined> {
  const result = await execa(`docker-credential-${question.helper}`, ['get'], {
    input: key,
    env: question.environment,
    extendEnv: false,
    reject: false,
    timeout: TIMEOUT_MS,
    forceKillAfterDelay: 2000,
    maxBuffer: MOST_OUTPUT,
    cancelSignal: question.signal,
  });
  if (result.isCanceled) throw new RootcellarError('E_CANCELLED', 'credential helper: stopped');
  if (result.code === 'ENOENT') throw failed(question, 'is not on PATH');
  if (result.timedOut) throw failed(question, `did not answer within ${TIMEOUT_MS / 1000} s`);
  const text = result.stdout.trim();
  if (result.exitCode === 0) return parseAnswer(question, text);
  if (/credentials not found|no credentials|not found in native keychain/i.test(`${text} ${result.stderr}`))
    return undefined;
  const words = (text || result.stderr.trim()).split('\n')[0] ?? '';
  // An answer in spite of the failure may hold the secret.
  throw failed(question, /[{"]/.test(words) ? 'failed' : `failed: ${words.slice(0, 200)}`);
}

function parseAnswer(question: HelperQuestion, text: string): Credentials | undefined {
  try {
    const record = recordFrom(JSON.parse(text));
    const [username, secret] = [textFrom(record['Username']), textFrom(record['Secret'])];
    if (username === '' && secret === '') return undefined;
    return username === TOKEN_USER
      ? { kind: 'identity', token: secret }
      : { kind: 'login', username, password: secret };
  } catch {
    // What the parser says would show a part of the secret.
    throw failed(question, 'answers something else than a credential helper does');
  }
}

function failed({ helper, file }: HelperQuestion, fault: string): RootcellarError {
  return new RootcellarError('E_CREDENTIALS', `credential helper \`docker-credential-${helper}\`: ${fault}`, {
    hint: `install it, or take it out of ${file}`,
  });
}
