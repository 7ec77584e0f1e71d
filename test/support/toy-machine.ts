import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { ARCHITECTURE_FACTS } from '../../src/base/architecture.ts';
import { copyHostInterpreter } from '../assemble/host-interpreter.ts';
import { startToyArchive, type ToyArchive, type ToyDeb, type ToyFile } from './toy-archive.ts';
import { startToyIndex, type ToyIndex, type ToyWheel } from './toy-index.ts';
import { findUv } from './uv.ts';

/** A machine whose apt and whose package index know toys only, on loopback, so that a lock and a build take about a second. */
export interface ToyMachine extends AsyncDisposable {
  readonly archive: ToyArchive;
  readonly index: ToyIndex;
  /** Whether requirements can be resolved on it; that needs uv, because pip would need more than a toy interpreter. */
  readonly hasUv: boolean;
  /** For commands that run on it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Another release of the archive: with these packages beside the interpreter's, in place of those before. */
  readonly publishDebs: (debs: readonly ToyDeb[]) => Promise<void>;
  /** Writes the recipe `name` below `folder` and gives its path. */
  readonly recipe: (folder: string, recipe: ToyRecipe) => Promise<string>;
}

export interface ToyRecipe {
  readonly name: string;
  /** Of `toysuite`. */
  readonly packages: readonly string[];
  /** Left out where there is no uv. */
  readonly requirements?: readonly string[] | undefined;
  /** More lines of YAML. */
  readonly more?: string;
}

export interface ToyMachineOptions {
  readonly debs?: readonly ToyDeb[];
  readonly wheels?: readonly ToyWheel[];
}

const TOY_SUITE = 'toysuite';
const FIRST_RELEASE = Date.UTC(2026, 8, 13);

/** Close it (or hold it by `await using`) when done. Its archive has `toy-python`, this machine's own interpreter. */
export async function startToyMachine({ debs = [], wheels = [] }: ToyMachineOptions): Promise<ToyMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'toy-machine-'));
  const python = await pythonDebs();
  let releases = 0;
  const archive = await startToyArchive({ suites: { [TOY_SUITE]: [...python, ...debs] } });
  const index = await startToyIndex({ wheels });
  await mkdir(join(folder, 'sources.list.d'));
  await writeFile(join(folder, 'sources.list.d/toy.sources'), archive.sources([TOY_SUITE]));
  const configuration = join(folder, 'apt.conf');
  await writeFile(
    configuration,
    `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${folder}/sources.list.d"; Acquire::Retries "0";\n`,
  );
  const uv = findUv(join(folder, 'venv'));
  if (uv === undefined) console.warn('NOT TESTED: Python requirements of toy recipes, because uv could not be had');
  const path = [...(uv === undefined ? [] : [uv]), process.env['PATH'] ?? ''].join(delimiter);
  return {
    archive,
    index,
    hasUv: uv !== undefined,
    publishDebs: async (released) => {
      releases += 1;
      // apt keeps what it has unless the date is a later one.
      const date = new Date(FIRST_RELEASE + releases * 60_000).toUTCString();
      await archive.publish({ suites: { [TOY_SUITE]: [...python, ...released] }, date });
    },
    environment: {
      PATH: path,
      APT_CONFIG: configuration,
      HOME: folder,
      UV_NO_CONFIG: '1',
      PIP_CONFIG_FILE: '/dev/null',
    },
    recipe: (place, recipe) => {
      const known = uv === undefined ? { ...recipe, requirements: undefined } : recipe;
      return writeRecipe(join(place, recipe.name), known, index);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([archive.close(), index.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeRecipe(folder: string, recipe: ToyRecipe, index: ToyIndex): Promise<string> {
  const { name, packages, requirements, more = '' } = recipe;
  const python = `python: { requirements: requirements.txt, index_url: "${index.url}" }\n`;
  const yaml = `name: ${name}\nbase: { debian: { suite: ${TOY_SUITE}, packages: [${packages.join(', ')}] } }\n`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'recipe.yaml'), `${yaml}${requirements === undefined ? '' : python}${more}`);
  if (requirements !== undefined) await writeFile(join(folder, 'requirements.txt'), `${requirements.join('\n')}\n`);
  return folder;
}

const SITE_CUSTOMIZE = `import sys
sys.path += ["/usr/local/lib/python%d.%d/dist-packages" % sys.version_info[:2], "/usr/lib/python3/dist-packages"]
`;

/** This machine's interpreter under the names and in the places that Debian's packages have. */
async function pythonDebs(): Promise<readonly ToyDeb[]> {
  const { root, interpreter, remove } = copyHostInterpreter();
  try {
    const minor = /^\d+\.\d+/.exec(interpreter.version)?.[0] ?? '';
    const files: Record<string, ToyFile> = {};
    const paths = await readdir(root, { recursive: true, withFileTypes: true });
    for (const entry of paths.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      // Debug symbols would be most of what a build works on.
      if (!path.endsWith('.py')) spawnSync('strip', ['--strip-debug', path]);
      files[placeOf(path, minor)] = { program: await readFile(path) };
    }
    // It was made for another place, and finds its own modules only.
    files[`usr/lib/python${minor}/sitecustomize.py`] = { program: Buffer.from(SITE_CUSTOMIZE) };
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const python = `python${minor}-minimal`;
    return [
      { name: 'libc6', version: '2.36-1', architecture },
      { name: python, version: `${interpreter.version}-1`, architecture, files, fields: { Depends: 'libc6' } },
      { name: 'toy-python', version: '1', fields: { Depends: python } },
    ];
  } finally {
    remove();
  }
}

function placeOf(path: string, minor: string): string {
  const { loader, multiarch } = ARCHITECTURE_FACTS[process.arch === 'arm64' ? 'arm64' : 'amd64'];
  const name = basename(path);
  if (path.endsWith('.py')) return `usr/lib/python${minor}/${/(?:encodings\/)?[^/]+$/.exec(path)?.[0] ?? ''}`;
  if (name === basename(loader)) return `usr/${loader.replace(/^\//, '')}`;
  return /\.so(?:\.|$)/.test(name) ? `usr/lib/${multiarch}/${name}` : `usr/bin/python${minor}`;
}
