import { execFileSync, spawn } from 'node:child_process';
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const MAKER = join(import.meta.dirname, 'large-wheels.py');
/** Some ELF library that every Debian has. */
const LIBRARY = '/lib64/ld-linux-x86-64.so.2';
const SAMPLE_MS = 25;

export interface LargeIndex extends AsyncDisposable {
  /** The folder of a recipe for an image with the two large wheels. */
  readonly recipe: string;
}

/**
 * Makes wheels of 2.6 GB together (times `scale`) in `folder`, a recipe that wants them, and a package index on loopback
 * that has them. Needs python3; takes half a minute.
 */
export async function startLargeIndex(folder: string, scale: number): Promise<LargeIndex> {
  const pages = join(folder, 'simple');
  const recipe = join(folder, 'recipe');
  mkdirSync(recipe, { recursive: true });
  execFileSync('python3', [MAKER, pages, String(scale), LIBRARY]);
  const server = createServer((request, response) => {
    const path = join(pages, decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const file = path.endsWith('/') ? join(path, 'index.html') : path;
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return void response.writeHead(404).end();
    const type = file.endsWith('.html') ? 'text/html' : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': size });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  writeFileSync(join(recipe, 'python-requirements.txt'), 'bigtoy\nmanytoy\n');
  writeFileSync(
    join(recipe, 'recipe.yaml'),
    `name: large
base: { debian: { suite: trixie, packages: [python3] } }
python: { requirements: python-requirements.txt, index_url: "http://127.0.0.1:${port}/" }
`,
  );
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { recipe, [Symbol.asyncDispose]: close };
}

export interface TreePeak {
  /** The most that all processes held at one time; what they share counts for each. */
  readonly peakBytes: number;
  readonly stdout: string;
}

/** Runs a command and watches the resident memory of it and of all its descendants. Throws when it fails. */
export async function peakOfTree(
  [program = '', ...words]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<TreePeak> {
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  let peakBytes = 0;
  const sample = (): void => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid ?? 0));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${String(status)}`);
  return { peakBytes, stdout };
}

function residentBytes(root: number): number {
  const processes = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? processOf(Number(name)) : []));
  const members = new Set([root]);
  // A child has a larger number than its parent nearly always; the second round finds the rest.
  for (let round = 0; round < 2; round += 1) {
    for (const { id, parent } of processes) if (members.has(parent)) members.add(id);
  }
  return processes.reduce((sum, { id, bytes }) => sum + (members.has(id) ? bytes : 0), 0);
}

interface ProcessFacts {
  readonly id: number;
  readonly parent: number;
  readonly bytes: number;
}

/** Nothing for one that has just ended. Source: proc_pid_stat(5), fields 4 and 24. */
function processOf(id: number): readonly ProcessFacts[] {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return [{ id, parent: Number(fields[1]), bytes: Number(fields[21]) * 4096 }];
  } catch {
    return [];
  }
}
