import { getuid } from 'node:process';
import { execa } from 'execa';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { HOST_QUESTION, parseHostAnswer, type HostAnswer } from './host-question.ts';

const TIMEOUT_MS = 30_000;
const MOST_OUTPUT = 1024 ** 2;
const NOBODY = 65_534;

/**
 * Asks an interpreter what it is. It gets an empty environment, the root as its folder and nothing on stdin, and starts
 * isolated (`-I`) and without `site` (`-S`), so that neither variables nor the user's folder nor a `.pth` file has a say.
 * Where we are root it runs as nobody, unless nobody may not read it. Throws E_HOST_PYTHON when there is no answer.
 */
export async function askInterpreter(program: string, signal: AbortSignal | undefined): Promise<HostAnswer> {
  const first = await ask(program, signal, getuid?.() === 0 ? NOBODY : undefined);
  if (first.answer !== undefined) return first.answer;
  const second = getuid?.() === 0 ? await ask(program, signal, undefined) : first;
  if (second.answer !== undefined) return second.answer;
  throw new RootcellarError('E_HOST_PYTHON', `\`${program}\`: does not answer: ${second.complaint}`, {
    hint: `env -i ${program} -I -S -c 'import json, sysconfig'`,
  });
}

interface Outcome {
  readonly answer: HostAnswer | undefined;
  /** One line, of whatever the program has said. */
  readonly complaint: string;
}

async function ask(program: string, signal: AbortSignal | undefined, uid: number | undefined): Promise<Outcome> {
  const result = await execa(program, ['-I', '-S', '-B', '-c', HOST_QUESTION], {
    env: { HOME: '/nonexistent', LC_ALL: 'C.UTF-8', PATH: '/usr/local/bin:/usr/bin:/bin' },
    extendEnv: false,
    cwd: '/',
    stdin: 'ignore',
    reject: false,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MOST_OUTPUT,
    ...(uid === undefined ? {} : { uid, gid: uid }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.isCanceled) throw new RootcellarError('E_CANCELLED', `${program}: stopped`);
  if (result.exitCode === 0 && !result.isMaxBuffer) {
    return { answer: parseHostAnswer(result.stdout), complaint: 'what it says is not what Python 3 would say' };
  }
  if (result.timedOut) return { answer: undefined, complaint: `it took longer than ${TIMEOUT_MS / 1000} s` };
  return { answer: undefined, complaint: lastLine(result.stderr) ?? result.code ?? 'it ended without a word' };
}

function lastLine(text: string): string | undefined {
  const line = text
    .trim()
    .split('\n')
    .at(-1)
    ?.replaceAll(/\p{C}+/gu, ' ')
    .slice(0, 300);
  return line === '' ? undefined : line;
}
