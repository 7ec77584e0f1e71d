import { basename, dirname, join } from 'node:path/posix';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readHostFile, type HostDisk } from './host-disk.ts';
import { followHostPath } from './host-way.ts';

/** A folder that `venv`, `virtualenv` or uv has made around an interpreter. Source: PEP 405. */
export interface VirtualEnvironment {
  readonly folder: string;
  /** Its `pyvenv.cfg`. */
  readonly settings: string;
  /** The interpreter that it was made of, absolute. */
  readonly base: string;
  /** Whether the packages of that interpreter can be imported as well. */
  readonly usesSystem: boolean;
}

const LONGEST_SETTINGS = 64 * 1024;

/** The environment that `program` belongs to; undefined for an interpreter of its own. Throws E_HOST_PYTHON and E_HOST_FILE. */
export function virtualEnvironment(disk: HostDisk, program: string): VirtualEnvironment | undefined {
  const folders = [dirname(program), dirname(dirname(program))];
  for (const folder of folders) {
    const { end } = followHostPath(disk, join(folder, 'pyvenv.cfg'));
    if (end.kind !== 'file') continue;
    const settings = readSettings(disk, end.path);
    const home = settings.get('home');
    if (home === undefined || !home.startsWith('/')) continue;
    return {
      folder: dirname(dirname(program)),
      settings: join(folder, 'pyvenv.cfg'),
      base: baseProgram(disk, program, home),
      usesSystem: settings.get('include-system-site-packages')?.toLowerCase() === 'true',
    };
  }
  return undefined;
}

/** Lines of `key = value`. Source: `site.venv` of CPython. */
function readSettings(disk: HostDisk, path: string): ReadonlyMap<string, string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  readHostFile(disk, path, (chunk) => {
    if (size < LONGEST_SETTINGS) parts.push(Uint8Array.from(chunk));
    size += chunk.length;
  });
  const lines = Buffer.concat(parts).toString('utf8').split('\n');
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const equals = line.indexOf('=');
      return equals < 0 ? [] : [[line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim()]];
    }),
  );
}

/** Where the environment's program is a link, what it leads to; where it is a copy, the one of that name at home. */
function baseProgram(disk: HostDisk, program: string, home: string): string {
  const { end } = followHostPath(disk, program);
  const own = end.kind === 'file' ? end.path : program;
  const names = [basename(own), basename(program), 'python3', 'python'];
  const found = names.map((name) => join(home, name)).find((path) => followHostPath(disk, path).end.kind === 'file');
  if (found !== undefined) return found;
  throw new RootcellarError(
    'E_HOST_PYTHON',
    `\`${program}\`: the interpreter that it was made of is not in \`${home}\``,
    {
      hint: `python3 -m venv --upgrade ${dirname(dirname(program))}`,
    },
  );
}
