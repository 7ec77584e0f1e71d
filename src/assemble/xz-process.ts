import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Enough for every preset of xz: `-9` needs 65 MiB. */
const MEMORY = '128MiB';

let found: Promise<string | undefined> | undefined;

/** The path of this machine's `xz`, or undefined when PATH has none. Looked for once. */
export function findXz(): Promise<string | undefined> {
  found ??= findOnPath('xz');
  return found;
}

/**
 * The bytes that the `.xz` data in `chunks` holds, by a process of its own, which runs beside us on another core.
 * Throws a plain Error with what the program said when the data are damaged. The process never outlives the iteration.
 */
export async function* runXz(program: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const options = ['--decompress', '--stdout', '--format=xz', `--memlimit-decompress=${MEMORY}`];
  const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'pipe'], env: { LC_ALL: 'C' } });
  const ended = new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
  const fed = pipeline(Readable.from(chunks, { objectMode: false }), child.stdin);
  // Both are looked at below; a failure before that must not count as unhandled.
  fed.catch(() => undefined);
  ended.catch(() => undefined);
  try {
    const complaint = textOf(child.stderr);
    yield* child.stdout;
    const status = await ended;
    if (status !== 0) throw new Error(`xz: ${(await complaint).trim() || `ended with status ${status}`}`);
    await fed;
  } finally {
    child.kill('SIGKILL');
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text = (text + String(chunk)).slice(0, 1000);
  return text;
}

async function findOnPath(name: string): Promise<string | undefined> {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const usable = await Promise.all(folders.map((folder) => isProgram(join(folder, name))));
  const folder = folders.find((_, index) => usable[index]);
  return folder === undefined ? undefined : join(folder, name);
}

async function isProgram(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
