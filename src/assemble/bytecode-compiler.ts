import { availableParallelism } from 'node:os';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import { chunksOf, importableSources, LARGEST_SOURCE } from './bytecode-plan.ts';
import type { PythonSource, SourceChunk } from './bytecode-plan.ts';
import { startCompiler } from './compiler-process.ts';
import type { CompilerAnswer, CompilerProcess } from './compiler-process.ts';
import type { InterpreterLayout } from './interpreter-files.ts';
import type { Contents, ContentSink, FileEntry, UnpackedArtifact } from './tree.ts';

export interface CompileOptions {
  readonly artifact: UnpackedArtifact;
  /** Has the sources. */
  readonly contents: Contents;
  readonly interpreter: Interpreter;
  readonly layout: InterpreterLayout;
  /** Folder on disk with the files of `layout`, which anybody may read. */
  readonly root: string;
  /** Takes the bytecode, in byte order of path. */
  readonly sink: ContentSink;
  readonly signal: AbortSignal;
}

/** The bytecode of an artifact, as one more artifact: nothing but files in `__pycache__` folders. */
export interface CompiledArtifact extends UnpackedArtifact {
  /** Sources that have no bytecode, in byte order of path. Python compiles them at run time, or cannot either. */
  readonly uncompiled: readonly UncompiledSource[];
}

export interface UncompiledSource {
  readonly path: string;
  /** What the compiler says, such as `SyntaxError: …`, or that it came to grief. */
  readonly reason: string;
}

/**
 * Compiles the importable Python files of one artifact with the image's own interpreter, which must be able to run on
 * this machine. The result depends on the artifact and the interpreter alone. Runs one process for each processor,
 * as nobody where this process is root. Throws E_BYTECODE when the interpreter does not work, and the signal's reason.
 */
export async function compileBytecode(options: CompileOptions): Promise<CompiledArtifact> {
  const sources = importableSources(options.artifact, options.interpreter);
  const chunks = chunksOf(sources.filter(({ entry }) => entry.size <= LARGEST_SOURCE));
  const keeper = bytecodeKeeper(sources, options.sink);
  const work: Work = { options, queue: [...chunks], keeper, died: new Set() };
  const workers = Math.min(availableParallelism(), chunks.length);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  try {
    await Promise.all(Array.from({ length: workers }, async () => workUntilDone(work, signal)));
  } finally {
    // When one worker fails, the others must not go on behind the caller's back.
    stop.abort();
  }
  return keeper.end();
}

interface Work {
  readonly options: CompileOptions;
  readonly queue: SourceChunk[];
  readonly keeper: BytecodeKeeper;
  /** Chunks of which a compiler has died. */
  readonly died: Set<SourceChunk>;
}

/**
 * Works on the queue until it is empty, with a new process whenever one has died. The chunk that it died of gets a
 * second chance, since something outside may have ended it. Then its files are compiled one by one, so that only the
 * one that kills compilers is left without bytecode.
 */
async function workUntilDone(work: Work, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { options, queue, keeper, died } = work;
  const compiler = startCompiler({ ...options, signal });
  const deadly = await compileQueue(work, compiler);
  signal.throwIfAborted();
  if (deadly === undefined) return;
  const [source] = deadly;
  // In front, because what comes after it waits in memory for its turn to be kept.
  if (!died.has(deadly)) queue.unshift(deadly);
  else if (deadly.length > 1) queue.unshift(...deadly.map((one) => [one]));
  else if (source !== undefined) await keeper.keep(new Map([[source, { status: 'failed', content: CAME_TO_GRIEF }]]));
  died.add(deadly);
  await workUntilDone(work, signal);
}

const CAME_TO_GRIEF = Buffer.from('the compiler crashed, or needed more than 4 GiB of memory or 120 s');

/** Resolves to the chunk that was unfinished when the process ended; undefined when there is nothing more to do. */
async function compileQueue(
  { options, queue, keeper }: Work,
  compiler: CompilerProcess,
): Promise<SourceChunk | undefined> {
  let chunk = queue.shift();
  let done = 0;
  const finished = new Map<PythonSource, CompilerAnswer>();
  const sendNext = (): void => {
    if (chunk === undefined) compiler.end();
    else
      compiler.send(
        chunk.map(({ entry }) => ({ path: `/${entry.path}`, content: readSource(entry, options.contents) })),
      );
  };
  sendNext();
  for await (const answer of compiler.answers) {
    const source = chunk?.[done];
    if (chunk === undefined || source === undefined)
      throw new RootcellarError('E_BYTECODE', 'compiler: answers what was not asked');
    finished.set(source, answer);
    done += 1;
    if (done < chunk.length) continue;
    await keeper.keep(finished);
    finished.clear();
    done = 0;
    chunk = queue.shift();
    sendNext();
  }
  return chunk;
}

function readSource(entry: FileEntry, contents: Contents): Buffer {
  if (entry.size === 0) return Buffer.alloc(0);
  return Buffer.concat(Array.from(contents.chunks(entry.digest, entry.size), (chunk) => Buffer.from(chunk)));
}

/** Keeps bytecode in the order of the sources, each as soon as all before it are there: few wait in memory. */
interface BytecodeKeeper {
  keep(answers: ReadonlyMap<PythonSource, CompilerAnswer>): Promise<void>;
  /** Sources without an answer have no bytecode. */
  end(): Promise<CompiledArtifact>;
}

function bytecodeKeeper(sources: readonly PythonSource[], sink: ContentSink): BytecodeKeeper {
  const waiting = new Map<PythonSource, CompilerAnswer>();
  const entries: FileEntry[] = [];
  const uncompiled: UncompiledSource[] = [];
  let next = 0;
  let last = Promise.resolve();
  const keepNext = async (source: PythonSource): Promise<void> => {
    const answer = waiting.get(source);
    waiting.delete(source);
    if (answer?.status === 'compiled') entries.push(await writeOne(source, answer.content, sink));
    else uncompiled.push({ path: source.entry.path, reason: reasonOf(answer) });
  };
  const keepReady = async (isEnd: boolean): Promise<void> => {
    const source = sources[next];
    if (source === undefined || !(isEnd || waiting.has(source) || source.entry.size > LARGEST_SOURCE)) return;
    next += 1;
    await keepNext(source);
    await keepReady(isEnd);
  };
  const inTurn = async (isEnd: boolean): Promise<void> => {
    last = last.then(() => keepReady(isEnd));
    await last;
  };
  return {
    keep: async (answers) => {
      // A copy: a part of a stream's buffer would hold all of that.
      for (const [source, { status, content }] of answers)
        waiting.set(source, { status, content: Buffer.from(content) });
      await inTurn(false);
    },
    end: async () => {
      await inTurn(true);
      return { entries, uncompiled, scripts: [], metadata: '' };
    },
  };
}

/** As one line, whatever the source has made the compiler say. */
function reasonOf(answer: CompilerAnswer | undefined): string {
  if (answer === undefined) return `is larger than ${LARGEST_SOURCE} bytes`;
  return answer.content
    .toString()
    .replaceAll(/\p{C}+/gu, ' ')
    .replace(/[\s:]+$/, '');
}

async function writeOne({ entry, bytecode }: PythonSource, content: Uint8Array, sink: ContentSink): Promise<FileEntry> {
  const { digest, size } = await sink.write([content]);
  const { uid, gid, mtime, origin } = entry;
  return { kind: 'file', path: bytecode, mode: 0o644, uid, gid, mtime, origin, size, digest };
}
