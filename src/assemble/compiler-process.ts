import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { getuid, kill } from 'node:process';
import type { ImagePath } from '../base/image-path.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import { COMPILE_DRIVER } from './bytecode-driver.ts';
import { cacheTag } from './bytecode-plan.ts';
import type { InterpreterLayout } from './interpreter-files.ts';

export interface CompilerOptions {
  readonly interpreter: Interpreter;
  readonly layout: InterpreterLayout;
  /** Folder on disk with the files of `layout`. */
  readonly root: string;
  readonly signal: AbortSignal;
}

/** A running interpreter that compiles chunk after chunk. */
export interface CompilerProcess {
  /** Hands it a chunk; call it again only when all answers to the one before are there. */
  send(files: readonly CompilerFile[]): void;
  /** Lets it end. */
  end(): void;
  /**
   * One answer a file, in order. Ends when the process has ended, for whatever reason: a crash shows by too few answers.
   * Throws E_BYTECODE when the process does not start, or is not the interpreter that it should be.
   */
  readonly answers: AsyncIterable<CompilerAnswer>;
}

export interface CompilerFile {
  /** Becomes `co_filename`. */
  readonly path: string;
  readonly content: Buffer;
}

/** Bytecode, or the reason why there is none as text. */
export interface CompilerAnswer {
  readonly status: 'compiled' | 'failed';
  readonly content: Buffer;
}

/** A file's own limit is 120 s of processor time; this is for what hangs without using any. */
const SILENCE_MS = 600_000;
const MEMORY_KIB = 4 * 1024 ** 2;
const LARGEST_ANSWER = 1024 ** 3;
const NOBODY = 65_534;

/**
 * The shell sets the limits, which Node cannot, and hands over the driver as descriptor 3: `-c` would need more of the
 * standard library. Sources are only parsed, never run, so the limits guard against bugs of the parser; one that cannot
 * be set is lower already.
 */
const LAUNCHER = `ulimit -c 0; ulimit -v ${MEMORY_KIB} 2>/dev/null || true; exec "$@" /dev/fd/3 3<<'END_OF_DRIVER'
${COMPILE_DRIVER}
END_OF_DRIVER
`;

/** Starts the interpreter in a process group of its own, which is killed when `signal` fires. */
export function startCompiler(options: CompilerOptions): CompilerProcess {
  const { layout, root } = options;
  const child = spawn('/bin/sh', ['-c', LAUNCHER, 'sh', ...commandLine(layout)], {
    cwd: root,
    env: { PYTHONHASHSEED: '0', PYTHONHOME: inRoot(layout.home), PYTHONUTF8: '1' },
    detached: true,
    ...(getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const stop = (): void => killGroup(child);
  options.signal.addEventListener('abort', stop);
  child.once('close', () => options.signal.removeEventListener('abort', stop));
  // Writing to a process that is gone fails, too; that it is gone shows at its output.
  child.stdin.on('error', () => undefined);
  return {
    send: (files) => child.stdin.write(encodeChunk(files)),
    end: () => child.stdin.end(),
    answers: answersOf(child, options),
  };
}

function commandLine(layout: InterpreterLayout): readonly string[] {
  const libraries = layout.libraryFolders.map(inRoot).join(':');
  const loader = layout.loader === undefined ? [] : [inRoot(layout.loader), '--library-path', libraries];
  const options = ['-s', '-S', '-B', '-X', 'frozen_modules=on', '-W', 'ignore'];
  return [...loader, inRoot(layout.program), ...options];
}

/** The root is the working folder: whoever the child becomes may not be allowed to enter the folders above it. */
function inRoot(path: ImagePath): string {
  return `/proc/self/cwd/${path}`;
}

function encodeChunk(files: readonly CompilerFile[]): Buffer {
  const parts = files.flatMap(({ path, content }) => {
    const name = Buffer.from(path);
    return [uint32(name.length), name, uint32(content.length), content];
  });
  return Buffer.concat([uint32(files.length), ...parts]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

async function* answersOf(
  child: ChildProcessWithoutNullStreams,
  { interpreter, signal }: CompilerOptions,
): AsyncGenerator<CompilerAnswer, void, undefined> {
  const silence = setTimeout(() => killGroup(child), SILENCE_MS);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, name) =>
      resolve(code === null ? `ended by ${name ?? 'a signal'}` : `ended with status ${code}`),
    );
  });
  const complaint = lastWords(child);
  let greeted = false;
  try {
    for await (const answer of framesOf(child.stdout)) {
      silence.refresh();
      if (greeted) yield answer;
      else checkGreeting(answer.content.toString(), interpreter);
      greeted = true;
    }
    const end = await ended;
    if (greeted || signal.aborted) return;
    throw new RootcellarError(
      'E_BYTECODE',
      `\`${interpreter.path}\`: does not run on this machine: ${complaint() || end}`,
    );
  } finally {
    clearTimeout(silence);
    killGroup(child);
  }
}

function checkGreeting(greeting: string, interpreter: Interpreter): void {
  const expected = `${/^[\d.]*\d/.exec(interpreter.version)?.[0] ?? ''} ${cacheTag(interpreter)}`;
  if (greeting === expected) return;
  throw new RootcellarError('E_BYTECODE', `\`${interpreter.path}\`: is \`${greeting}\`, not \`${expected}\``);
}

async function* framesOf(stream: AsyncIterable<unknown>): AsyncGenerator<CompilerAnswer, void, undefined> {
  let buffered: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let size = 0;
  let wanted = 5;
  for await (const part of stream) {
    if (!Buffer.isBuffer(part)) throw new Error('unreachable: output is not bytes');
    parts.push(part);
    size += part.length;
    if (size < wanted) continue;
    buffered = Buffer.concat(parts);
    for (wanted = frameSize(buffered); buffered.length >= wanted; wanted = frameSize(buffered)) {
      yield { status: buffered[0] === 0 ? 'compiled' : 'failed', content: buffered.subarray(5, wanted) };
      buffered = buffered.subarray(wanted);
    }
    parts = [buffered];
    size = buffered.length;
  }
}

/** Bytes of the answer at the start of `buffered`, or of its header as long as that is not there. */
function frameSize(buffered: Buffer): number {
  if (buffered.length < 5) return 5;
  const size = buffered.readUInt32LE(1);
  if (size > LARGEST_ANSWER) throw new RootcellarError('E_BYTECODE', `compiler: answers with ${size} bytes`);
  return 5 + size;
}

/** The end of what the process says on stderr, as one line. */
function lastWords(child: ChildProcessWithoutNullStreams): () => string {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-2000);
  });
  return () => text.trim().split('\n').at(-1) ?? '';
}

/** Nothing is left of the group of a process that ended by itself: it waits for those that it forks. */
function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
