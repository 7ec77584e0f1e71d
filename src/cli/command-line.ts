import { Command, CommanderError } from 'commander';
import type { RootcellarError } from '../base/rootcellar-error.ts';
import type { CommonFlags, Verb } from './command-context.ts';
import { runVerb } from './command-context.ts';
import { faultOfGiven } from './given-values.ts';
import { addImageVerbs } from './image-commands.ts';
import { addRegistryVerbs } from './registry-commands.ts';
import { addScheduleVerbs } from './schedule-command.ts';
import { addServeVerb } from './serve-command.ts';
import { addVerb, collect, withCommonFlags, type Run } from './verb-definition.ts';

/** Exit status of a wrong command line. */
const USAGE = 2;
const VERSION = '0.1.0';

/** Runs one command line and returns its exit status. Each verb's code is loaded only when it is called. */
export async function runCommandLine(words: readonly string[], tree: CommandTree = rootcellar): Promise<number> {
  let status = 0;
  let fault: RootcellarError | undefined;
  const run = async (flags: CommonFlags, work: Verb): Promise<void> => {
    status = await runVerb(flags, (context) => (fault === undefined ? work(context) : Promise.reject(fault)));
  };
  try {
    const program = tree(run).hook('preAction', (_, command) => {
      fault = faultOfGiven(command);
    });
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : USAGE;
  }
  return status;
}

/** A command with its verbs; what they are to do goes to `run`. */
type CommandTree = (run: Run) => Command;

/** Commander's own text in the form of our errors. */
function usageError(text: string, write: (text: string) => void): void {
  const [message = '', ...more] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const hint = more.join(' ').trim() || 'rootcellar --help, or rootcellar VERB --help';
  write(`error[E_USAGE] ${message}\n  hint: ${hint}\n`);
}

/** `build-rootfs RECIPE` is `rootcellar build RECIPE` under the name that Dockerfiles call. */
export function buildRootfs(run: Run): Command {
  const program = new Command('build-rootfs').argument('<recipe>').version(VERSION).exitOverride();
  program.configureOutput({ outputError: usageError });
  return defineBuild(program, run).addHelpText(
    'after',
    '\nExample:\n  build-rootfs recipes/python --arch amd64 -o python.tar',
  );
}

function rootcellar(run: Run): Command {
  const program = new Command('rootcellar')
    .description('Builds root filesystems from recipes and runs code in them.')
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: usageError });
  addBuildingVerbs(program, run);
  addImportVerb(program, run);
  addRunVerb(program, run);
  addServeVerb(program, run);
  addTraceVerb(program, run);
  addImageVerbs(program, run);
  addRegistryVerbs(program, run);
  addScheduleVerbs(program, run);
  addLookingVerbs(program, run);
  return program;
}

function addBuildingVerbs(program: Command, run: Run): void {
  addVerb(program, 'lock <recipe>', {
    summary: 'resolve a recipe to exact artifacts and write its lockfile',
    example: 'lock recipes/python',
  })
    .option('--arch <name>', 'architecture to lock, the others stay (repeatable; default: all of the recipe)', collect)
    .option('--check', 'only say whether the lockfile matches the recipe')
    .option('--upgrade', 'take the newest versions that the recipe allows')
    .option('--upgrade-package <name>', 'take the newest version of one package (repeatable)', collect)
    .action(async (recipe: string, flags: CommonFlags & LockFlags) => {
      const { lockVerb } = await import('./lock-verb.ts');
      await run(flags, (context) => lockVerb(context, recipe, flags));
    });
  addVerb(program, 'vendor <recipe>', {
    summary: 'collect every artifact of a lockfile in a folder, for builds without a network',
    example: 'vendor recipes/python',
  })
    .option('-o, --output <folder>', 'where to (default: `vendor` beside the recipe)')
    .option('--arch <name>', 'architecture to collect for (repeatable; default: all of the lockfile)', collect)
    .option('--prune', 'remove the artifacts from the folder that the lockfile does not name')
    .action(async (recipe: string, flags: CommonFlags & VendorFlags) => {
      const { vendorVerb } = await import('./vendor-verb.ts');
      await run(flags, (context) => vendorVerb(context, recipe, flags));
    });
  const build = program.command('build <recipe>');
  defineBuild(build, run).addHelpText(
    'after',
    `\nExample:\n  ${program.name()} build recipes/python -o 'python-{arch}.tar'`,
  );
}

function defineBuild(command: Command, run: Run): Command {
  return withCommonFlags(command.description('make the root filesystem of a lockfile'))
    .option('--arch <name>', 'architecture to build (repeatable; default: all of the recipe)', collect)
    .option('-o, --output <path>', 'write the tar to this file, for several architectures FOLDER/ or x-{arch}.tar')
    .option('--container <path>', 'write the tar of a container, too, in which `cell` runs programs of the image')
    .option('--locked', 'fail where the lockfile would have to be written')
    .option('--offline', 'use no network: artifacts come from the vendor folder or the store')
    .option('--vendor <folder>', 'folder that `vendor` has filled (default: `vendor` beside the recipe)')
    .option('--add-missing', 'put libraries that are missing into `shared_objects` of the recipe, and lock it again')
    .action(async (recipe: string, flags: CommonFlags & BuildFlags) => {
      const { buildVerb } = await import('./build-verb.ts');
      await run(flags, (context) => buildVerb(context, recipe, flags));
    });
}

function addImportVerb(program: Command, run: Run): void {
  addVerb(program, 'import <config> [requirements]', {
    summary: 'make a recipe of the configuration of dify-sandbox',
    example: 'import conf/config.yaml dependencies/python-requirements.txt -o recipes/mine',
  })
    .requiredOption('-o, --output <folder>', 'folder for the recipe')
    .option('--env <file>', 'NAME=value lines that win over the configuration, as dify-sandbox reads them')
    .option('--base <kind>', 'take Python from this machine (host) or from Debian (debian); default: what is there')
    .action(async (config: string, requirements: string | undefined, flags: CommonFlags & ImportFlags) => {
      const { importVerb } = await import('./import-verb.ts');
      await run(flags, (context) => importVerb(context, { config, requirements, flags }));
    });
}

function addRunVerb(program: Command, run: Run): void {
  addVerb(program, 'run <image> [words...]', { summary: 'run a program in a cell', example: 'run python -- hello.py' })
    .usage('<image> [-c CODE | FILE | -] [-- ARGS]')
    .option('-c <code>', 'program text')
    .option('--report <file>', 'write the report of the run to this file; `-`: to standard error')
    .option('-e, --env <name=value>', 'variable for the program (repeatable)', collect)
    .option('--file <local[:path]>', 'file or folder to place in its working directory (repeatable)', collect)
    .option('--out <path[:local]>', 'file or folder to take from there when it is over (repeatable)', collect)
    .option('--proc', 'a /proc of its own processes')
    .option('--limit <name=value>', 'another limit than the recipe gives, such as wall=2s (repeatable)', collect)
    .option('--minimum-tier <tier>', 'the least isolation to run with, A to D, in place of the recipe’s')
    .option('--network <mode>', 'another network than the recipe gives: none, proxy or host')
    .option('--allow-host <host>', 'host, or host:port, that this run may reach through a proxy (repeatable)', collect)
    .action(async (image: string, words: string[], flags: CommonFlags & RunFlags) => {
      const { runProgramVerb } = await import('./run-verb.ts');
      await run(flags, (context) => runProgramVerb(context, { image, words, flags }));
    });
}

function addTraceVerb(program: Command, run: Run): void {
  addVerb(program, 'trace <image> [words...]', {
    summary: 'run trusted code once, and say which system calls it needs beyond its profile',
    example: 'trace recipes/mine --write -- program.py',
  })
    .usage('<image> FILE [-- ARGS]')
    .option('--write', 'add them to the recipe')
    .action(async (image: string, words: string[], flags: CommonFlags & TraceFlags) => {
      const { traceVerb } = await import('./trace-verb.ts');
      await run(flags, (context) => traceVerb(context, { image, words, flags }));
    });
}

function addLookingVerbs(program: Command, run: Run): void {
  addVerb(program, 'show <image>', {
    summary: 'what an image holds and how code in it may run',
    example: 'show python',
  })
    .option('--files', 'list every file; with --sbom spdx, their digests')
    .option('--sbom <format>', 'write a bill of materials instead: spdx or cyclonedx')
    .action(async (image: string, flags: CommonFlags & ShowFlags) => {
      const { showVerb } = await import('./show-verb.ts');
      await run(flags, (context) => showVerb(context, image, flags));
    });
  addVerb(program, 'diff <before> <after>', {
    summary: 'what differs between two images, recipes, lockfiles or tars, and why',
    example: 'diff python@1 python@2',
  })
    .option('--all', 'name every file, however many there are')
    .option('--exit-code', 'exit with 1 when something differs')
    .action(async (before: string, after: string, flags: CommonFlags & DiffFlags) => {
      const { diffVerb } = await import('./diff-verb.ts');
      await run(flags, (context) => diffVerb(context, { before, after, flags }));
    });
  addVerb(program, 'explain <image> <thing>', {
    summary: 'why a library, module, file, package or system call is there, missing, or denied',
    example: 'explain python libssl.so.3',
  }).action(async (image: string, thing: string, flags: CommonFlags) => {
    const { explainVerb } = await import('./explain-verb.ts');
    await run(flags, (context) => explainVerb(context, image, thing));
  });
  addVerifyVerb(program, run);
  addVerb(program, 'doctor', {
    summary: 'what this machine can do, and what to do about the rest',
    example: 'doctor',
  }).action(async (flags: CommonFlags) => {
    const { doctorVerb } = await import('./doctor-verb.ts');
    await run(flags, doctorVerb);
  });
}

function addVerifyVerb(program: Command, run: Run): void {
  addVerb(program, 'verify [image]', {
    summary: 'compute every digest of an image, or of the whole store, again',
    example: 'verify python',
  })
    .option('--store', 'check everything in the store instead of one image')
    .option('--repair', 'with --store: remove what is damaged and can be made anew')
    .option('--rebuild', 'build a recipe twice under different conditions and compare, byte by byte')
    .action(async (image: string | undefined, flags: CommonFlags & VerifyFlags) => {
      const { verifyVerb } = await import('./verify-verb.ts');
      const { rebuildVerb } = await import('./rebuild-verb.ts');
      const isRebuild = flags.rebuild === true && image !== undefined && flags.store !== true;
      await run(flags, (context) => (isRebuild ? rebuildVerb(context, image) : verifyVerb(context, image, flags)));
    });
}

export interface VerifyFlags {
  readonly store?: boolean;
  readonly repair?: boolean;
  readonly rebuild?: boolean;
}

export interface LockFlags {
  readonly arch?: readonly string[];
  readonly check?: boolean;
  readonly upgrade?: boolean;
  readonly upgradePackage?: readonly string[];
}

export interface BuildFlags {
  readonly arch?: readonly string[];
  readonly output?: string;
  readonly container?: string;
  readonly locked?: boolean;
  readonly addMissing?: boolean;
  readonly offline?: boolean;
  readonly vendor?: string;
}

export interface VendorFlags {
  readonly arch?: readonly string[];
  readonly output?: string;
  readonly prune?: boolean;
}

export interface ImportFlags {
  readonly output: string;
  /** File of `NAME=value` lines. */
  readonly env?: string;
  readonly base?: string;
}

export interface ShowFlags {
  readonly files?: boolean;
  readonly sbom?: string;
}

export interface DiffFlags {
  readonly all?: boolean;
  readonly exitCode?: boolean;
}

export interface RunFlags {
  /** Program text. */
  readonly c?: string;
  readonly report?: string;
  /** Each `NAME=VALUE`. */
  readonly env?: readonly string[];
  readonly minimumTier?: string;
  /** Each `LOCAL` or `LOCAL:PATH`. */
  readonly file?: readonly string[];
  /** Each `PATH` or `PATH:LOCAL`. */
  readonly out?: readonly string[];
  readonly proc?: boolean;
  /** Each `name=value`. */
  readonly limit?: readonly string[];
  readonly network?: string;
  readonly allowHost?: readonly string[];
}

export interface TraceFlags {
  readonly write?: boolean;
}
