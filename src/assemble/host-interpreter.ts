import { basename, dirname, join } from 'node:path/posix';
import { ARCHITECTURES, ARCHITECTURE_FACTS, type Architecture } from '../base/architecture.ts';
import { parseImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { HostPython, HostRequest } from '../resolve/host-machine.ts';
import { askInterpreter } from './ask-interpreter.ts';
import type { HostDisk } from './host-disk.ts';
import { hostLibraries, type HostLibraries } from './host-libraries.ts';
import type { HostAnswer } from './host-question.ts';
import { followHostPath } from './host-way.ts';
import { libraryOrder } from './ld-so-cache.ts';
import { asLoadable, type LoadableFile } from './library-search.ts';
import { virtualEnvironment, type VirtualEnvironment } from './virtual-environment.ts';

/** Before that, bytecode and folders were other ones. */
const OLDEST_MINOR = 8;

/** Which interpreter `base.host.python_path` is, and what it needs. Throws E_HOST_PYTHON at the place in the recipe. */
export async function inspectInterpreter(disk: HostDisk, request: HostRequest): Promise<HostPython> {
  try {
    return await inspect(disk, request);
  } catch (error) {
    if (!(error instanceof RootcellarError) || error.code !== 'E_HOST_PYTHON') throw error;
    throw new RootcellarError(error.code, error.message, { hint: error.hint, place: request.base.place, cause: error });
  }
}

async function inspect(disk: HostDisk, { base, architecture, signal }: HostRequest): Promise<HostPython> {
  const named = base.pythonPath[architecture];
  if (named === undefined) throw unusable('base.host.python_path', `has no path for ${architecture}`);
  const libraries = hostLibraries(disk, architecture);
  const environment = virtualEnvironment(disk, named);
  const asked = environment?.base ?? named;
  checkMachine(libraries, realFile(disk, asked), architecture);
  const answer = await askInterpreter(asked, signal);
  checkAnswer(disk, asked, answer);
  // A shim, such as pyenv has, is a script that starts the real one.
  const program = realFile(disk, answer.executable);
  const loadable = checkMachine(libraries, program, architecture);
  if (loadable === undefined || !basename(program).startsWith('python')) {
    throw unusable(asked, `leads to \`${program}\`, which is no Python`);
  }
  const libc = libraries.find(loadable, 'libc.so.6', []) ?? libraries.findByName('libc.so.6');
  const isEnvironment = environment !== undefined;
  return {
    interpreter: {
      version: versionText(answer),
      path: isEnvironment ? named : program,
      glibc: glibcVersion(asked, libc?.file),
      ...placesOf(answer, environment),
      stdlib: realFolder(disk, answer.stdlib) ?? answer.stdlib,
    },
    program: isEnvironment ? named : program,
    pip: pipFor(disk, answer, environment),
    folders: importFolders(disk, answer, environment),
    files: neededFiles(disk, { answer, environment, named, program }),
  };
}

function unusable(program: string, fault: string, hint?: string): RootcellarError {
  return new RootcellarError('E_HOST_PYTHON', `\`${program}\`: ${fault}`, { hint });
}

function realFile(disk: HostDisk, path: string): string {
  const { end } = followHostPath(disk, path);
  if (end.kind === 'file') return end.path;
  const faults = {
    missing: 'does not exist',
    circle: 'is a link that leads in a circle',
    folder: 'is a folder',
  } as const;
  const fault = end.kind === 'special' ? `is ${end.what}` : faults[end.kind];
  throw unusable(path, fault, 'command -v python3');
}

/** Undefined for a file that is no ELF file: it may be a script that starts one. */
function checkMachine({ tree }: HostLibraries, program: string, architecture: Architecture): LoadableFile | undefined {
  const entry = tree.get(program.slice(1));
  if (entry?.kind !== 'file') throw unusable(program, 'cannot be read by this user', `ls -ld ${program}`);
  if (entry.elf === undefined) return undefined;
  const loadable = asLoadable(entry, architecture);
  if (loadable !== undefined) return loadable;
  const other = ARCHITECTURES.find((name) => ARCHITECTURE_FACTS[name].elfMachine === entry.elf?.machine);
  const hint = `write \`{ ${architecture}: /path/of/its/python3 }\`, or remove ${architecture} from \`architectures\``;
  throw unusable(program, `is for ${other ?? 'another machine'}, not for ${architecture}`, hint);
}

function checkAnswer(disk: HostDisk, asked: string, answer: HostAnswer): void {
  const { implementation, version, abiflags, stdlib, json } = answer;
  const [major, minor] = version;
  if (implementation !== 'cpython') throw unusable(asked, `is ${implementation.slice(0, 40)}, not CPython`);
  if (major !== 3 || minor < OLDEST_MINOR) {
    const hint = `name an interpreter of Python 3.${OLDEST_MINOR} or newer`;
    throw unusable(asked, `is Python ${major}.${minor}`, hint);
  }
  if (abiflags !== '') {
    throw unusable(asked, `is a build of another kind (ABI flags \`${abiflags}\`)`, 'name a usual build of CPython');
  }
  for (const path of [answer.executable, answer.prefix, stdlib, answer.platstdlib, answer.purelib, answer.data]) {
    if (parseImagePath(path) === undefined) throw unusable(asked, 'tells of paths that nothing can have');
  }
  const archives = answer.path.filter((path) => path.endsWith('.zip'));
  const hasJson = [stdlib, ...archives].some((place) => isBelow(disk, json, place));
  if (!hasJson) throw unusable(asked, `has no \`json\` in its standard library \`${stdlib}\``);
}

function isBelow(disk: HostDisk, path: string, folder: string): boolean {
  const real = folder.endsWith('.zip') ? folder : (realFolder(disk, folder) ?? folder);
  const parent = folder.endsWith('.zip') ? path : (realFolder(disk, dirname(path)) ?? path);
  return parent.startsWith(`${real}/`);
}

function realFolder(disk: HostDisk, path: string): string | undefined {
  const { end } = followHostPath(disk, path);
  return end.kind === 'folder' ? end.path : undefined;
}

function versionText({ version: [major, minor, micro, level, serial] }: HostAnswer): string {
  const suffixes: Readonly<Record<string, string>> = { alpha: 'a', beta: 'b', candidate: 'rc' };
  const suffix = suffixes[level];
  return `${major}.${minor}.${micro}${suffix === undefined ? '' : `${suffix}${serial}`}`;
}

/** The newest version that the C library defines; it is never run to be asked. */
function glibcVersion(program: string, libc: LoadableFile | undefined): string {
  const versions = (libc?.elf.versionsDefined ?? []).flatMap((name) => /^GLIBC_(\d+\.\d+)/.exec(name)?.[1] ?? []);
  const newest = versions.toSorted(libraryOrder).at(-1);
  if (newest !== undefined) return newest;
  throw unusable(
    program,
    'does not run on the GNU C library, as images do',
    'name an interpreter that was built for glibc',
  );
}

/** Where wheels go. */
function placesOf(
  answer: HostAnswer,
  environment: VirtualEnvironment | undefined,
): { readonly sitePath: string; readonly prefix: string } {
  if (environment === undefined) return { sitePath: answer.purelib, prefix: answer.data };
  const [major, minor] = answer.version;
  return { sitePath: `${environment.folder}/lib/python${major}.${minor}/site-packages`, prefix: environment.folder };
}

function importFolders(
  disk: HostDisk,
  answer: HostAnswer,
  environment: VirtualEnvironment | undefined,
): readonly string[] {
  const own = environment === undefined ? [] : [placesOf(answer, environment).sitePath];
  const shared = environment === undefined || environment.usesSystem ? [...answer.site, answer.purelib] : [];
  const dynamic = answer.path.filter((path) => basename(path) === 'lib-dynload');
  const all = [answer.stdlib, answer.platstdlib, ...dynamic, ...own, ...shared];
  return [...new Set(all)].filter((path) => realFolder(disk, path) !== undefined);
}

interface NeededFiles {
  readonly answer: HostAnswer;
  readonly environment: VirtualEnvironment | undefined;
  readonly named: string;
  readonly program: string;
}

/** The program under its usual names, its settings, and a standard library in an archive. */
function neededFiles(disk: HostDisk, { answer, environment, named, program }: NeededFiles): readonly string[] {
  const [major, minor] = answer.version;
  const names = ['python', `python${major}`, `python${major}.${minor}`];
  const folders = [...new Set([dirname(named), dirname(program), dirname(answer.executable)])];
  const siblings = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  const archives = answer.path.filter((path) => path.endsWith('.zip') && path.startsWith('/'));
  const candidates = [program, ...siblings, ...archives, ...(environment === undefined ? [] : [environment.settings])];
  const wanted = new Set([program, ...archives, ...(environment === undefined ? [] : [environment.settings, named])]);
  return [...new Set([...candidates, ...(environment === undefined ? [] : [named])])].filter((path) => {
    const { end } = followHostPath(disk, path);
    return end.kind === 'file' && (wanted.has(path) || end.path === program);
  });
}

function pipFor(disk: HostDisk, answer: HostAnswer, environment: VirtualEnvironment | undefined): string | undefined {
  const sites = [...(environment === undefined ? [] : [placesOf(answer, environment).sitePath]), ...answer.site];
  const installed = sites
    .map((site) => `${site}/pip`)
    .find((folder) => disk.look(`${folder}/__main__.py`) !== undefined);
  if (installed !== undefined) return installed;
  const wheels = [`${answer.stdlib}/ensurepip/_bundled`, '/usr/share/python-wheels'].flatMap((folder) => {
    const real = realFolder(disk, folder);
    const names = real === undefined ? [] : disk.names(real);
    return names.flatMap((name) => (name !== undefined && /^pip-.*\.whl$/.test(name) ? [`${folder}/${name}/pip`] : []));
  });
  return wheels.toSorted(libraryOrder).at(-1);
}
