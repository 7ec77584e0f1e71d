import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { isErrno } from '../base/rootcellar-error.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import { textOf, type DifyConfig, type ImportNote } from '../recipe/dify-config.ts';
import { importDify, type ImportBase } from '../recipe/dify-import.ts';
import { syscallKnowledge } from '../run/syscall-knowledge.ts';
import { watchFiles } from '../refresh/watched-files.ts';
import { replaceFile } from '../store/replace-file.ts';
import type { Recipe, Tier } from '../recipe/recipe.ts';
import { storeHome } from '../store/store-home.ts';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './command-context.ts';
import { chooseBase, readDifyText } from './dify-files.ts';
import { noteText } from './import-verb.ts';
import { openRecipe } from './pipeline.ts';
import { tierOf } from './minimum-tier.ts';
import type { ServeFlags } from './serve-command.ts';
import { servedMark, servedName } from './served-name.ts';
import { recipeToServe, type ImageToServe, type ServingContext } from './served-images.ts';

const REQUIREMENTS = 'python-requirements.txt';
/** Where dify-sandbox looks for Node.js when nothing says otherwise. */
const DIFY_NODE = '/usr/local/bin/node';
/** What dify-sandbox's image has besides Python, under Debian's names. Dify's template nodes need jinja2. */
const DIFY_PACKAGES = ['nodejs', 'python3-httpx', 'python3-jinja2', 'python3-requests', 'python3-socks'];
/** What no run needs. */
const TRIM = [
  'changelogs',
  'completions',
  'debian-tools',
  'docs',
  'info',
  'lintian',
  'locale',
  'man',
  'services',
  'tests',
];

export interface DifyService {
  readonly flags: ServeFlags;
  readonly dify: DifyConfig;
}

/** The image of dify-sandbox's configuration. Its requirements are read again before each build; the rest only now. */
export async function imageOfDify(
  { flags, dify }: DifyService,
  context: CommandContext,
  { pipeline, schedule }: ServingContext,
): Promise<ImageToServe> {
  const configFile = flags.config ?? '';
  const files = {
    config: dify,
    configFile,
    requirementsFile: flags.requirements,
    name: await servedName(configFile, storeHome(context)),
    minimumTier: tierOf(flags),
  };
  // Each build reads them again; what cannot be read now was most likely never meant.
  if (flags.requirements !== undefined) await readDifyText(requirementsPath(files));
  const { progress } = context.reporter;
  let isTold = false;
  const read = async (): Promise<Recipe> => {
    const made = await makeDifyRecipe(files, pipeline().store, context);
    if (!isTold) for (const message of textsOf(made)) progress({ kind: 'warning', message });
    isTold = true;
    return openRecipe(made.folder);
  };
  const { name } = files;
  const watched = watchFiles();
  await watched.follow([requirementsPath(files)]);
  return recipeToServe({
    name,
    architecture: context.hostArchitecture,
    read,
    areEdited: watched.areEdited,
    schedule: () => schedule,
    pipeline,
    isLockedFirst: true,
  });
}

function textsOf({ notes, lacksRequirements }: MadeRecipe): readonly string[] {
  // What is the service's is not left out here.
  const own = notes.filter(({ text }) => !text.includes('is for the HTTP service'));
  const missing =
    lacksRequirements === undefined ? [] : [`\`${lacksRequirements}\`: is not there; no requirements are installed`];
  return [...own.map(noteText), ...missing];
}

interface DifyFiles {
  readonly config: DifyConfig;
  /** Path of `config.yaml`. */
  readonly configFile: string;
  /** Path of the requirements; undefined: `dependencies/python-requirements.txt` beside the configuration's folder. */
  readonly requirementsFile: string | undefined;
  readonly name: string;
  /** The recipe's own when undefined. */
  readonly minimumTier: Tier | undefined;
}

interface MadeRecipe {
  /** Its folder. */
  readonly folder: string;
  readonly notes: readonly ImportNote[];
  /** Where the requirements were looked for in vain. */
  readonly lacksRequirements: string | undefined;
}

/**
 * The recipe that stands for dify-sandbox's files, in the store, where its lockfile stays for the next time. Written only where
 * it differs: a recipe that is as it was needs no other image.
 */
async function makeDifyRecipe(files: DifyFiles, store: Store, context: CommandContext): Promise<MadeRecipe> {
  const folder = join(store.home, 'served', files.name);
  const path = requirementsPath(files);
  const given = await requirementsAt(path, files.requirementsFile !== undefined);
  const requirements = given ?? '';
  const base = withNode(chooseBase(files.config, undefined, context.environment['PATH'] ?? ''), files.config);
  const { recipe, notes } = importDify(files.config, {
    architecture: context.hostArchitecture,
    base,
    name: files.name,
    requirements: REQUIREMENTS,
    syscalls: syscallKnowledge(context.hostArchitecture),
  });
  const roomy = withPreimport(withRoom(recipe, files.minimumTier), base, requirements);
  const whole = base.kind === 'debian' ? { ...roomy, trim: TRIM } : roomy;
  await writeChanged(join(folder, REQUIREMENTS), requirements);
  await writeChanged(
    join(folder, 'recipe.yaml'),
    `${servedMark(files.configFile)}${stringify(whole, { lineWidth: 0 })}`,
  );
  return { folder, notes, lacksRequirements: given === undefined ? path : undefined };
}

function requirementsPath({ requirementsFile, configFile }: DifyFiles): string {
  return resolve(requirementsFile ?? join(dirname(resolve(configFile)), '..', 'dependencies', REQUIREMENTS));
}

/** dify-sandbox limits neither: whoever comes from there has programs that use more than usual. */
const ROOM = { memory: '512MiB', output: '4MiB' };

function withRoom(
  recipe: Readonly<Record<string, unknown>>,
  minimumTier: Tier | undefined,
): Readonly<Record<string, unknown>> {
  const sandbox = Object(recipe['sandbox']);
  const least = minimumTier === undefined ? {} : { minimum_tier: minimumTier };
  return { ...recipe, sandbox: { ...sandbox, ...least, limits: { ...sandbox.limits, ...ROOM } } };
}

/** Slow to import, and for many the reason to have requirements; in the order in which they build on each other. */
const OFTEN_IMPORTED = ['numpy', 'pandas'];

/** Template nodes import jinja2 each time. */
function withPreimport(
  recipe: Readonly<Record<string, unknown>>,
  base: ImportBase,
  requirements: string,
): Readonly<Record<string, unknown>> {
  const named = OFTEN_IMPORTED.filter((name) =>
    new RegExp(String.raw`^[ \t]*${name}(?![\w.-])`, 'im').test(requirements),
  );
  const preimport = [...(base.kind === 'debian' ? ['jinja2'] : []), ...named];
  return preimport.length === 0 ? recipe : { ...recipe, python: { ...Object(recipe['python']), preimport } };
}

/** Like dify-sandbox, which goes on without a file that is not there; one that was named must be. */
async function requirementsAt(path: string, isNamed: boolean): Promise<string | undefined> {
  const { kind } = await readBoundedFile(path, 0);
  return kind === 'missing' && !isNamed ? undefined : readDifyText(path);
}

function withNode(base: ImportBase, config: DifyConfig): ImportBase {
  if (base.kind === 'debian') return { ...base, packages: DIFY_PACKAGES };
  const setting = config.get('nodejs_path');
  const node = setting === undefined ? DIFY_NODE : textOf(setting);
  return existsSync(node) ? { ...base, paths: [node] } : base;
}

async function writeChanged(path: string, text: string): Promise<void> {
  if ((await textAt(path)) === text) return;
  await replaceFile(path, (temporary) => writeFile(temporary, text));
}

async function textAt(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
