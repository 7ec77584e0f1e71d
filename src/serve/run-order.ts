import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import type { Program } from '../program-words.ts';
import { LIMIT_FIELDS, type LimitName } from '../recipe/limit-setting.ts';
import { networkText, type NetworkSettings } from '../recipe/network.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { Limits } from '../recipe/recipe.ts';
import type { InputFile, RunRequest } from '../run-program.ts';
import type { ServedImage } from './image-source.ts';
import { isNetworkWithin } from './network-within.ts';
import type { FileContent, RunBody, TextOrBytes } from './run-body.ts';
import type { CheckedBody } from './run-schema.ts';
import type { RunLanguage } from './service-watch.ts';
import type { ServiceSettings } from './service-settings.ts';

/** What a checked body asks for, within what the service allows. */
export type OrderedRun = Omit<RunRequest, 'cancel' | 'stdio'> & { readonly language: RunLanguage };

export interface RunTerms {
  readonly served: ServedImage;
  readonly settings: Pick<ServiceSettings, 'limits' | 'mostLimits' | 'network'>;
  /** Names of limits that the client has given. */
  readonly given: readonly string[];
}

/** Throws E_REQUEST, with one problem for each thing that is beyond what the service allows; E_IMAGE_NOT_FOUND, E_PROGRAM_NOT_FOUND. */
export function orderedRun(body: CheckedBody, terms: RunTerms): OrderedRun {
  const { served } = terms;
  checkImage(body.image, served);
  const language = languageOf(body);
  const limits = limitsFor(body, terms);
  const { network, problems } = networkFor(body.network, terms.settings.network ?? served.manifest.sandbox.network);
  const all = [...programProblems(body), ...limits.problems, ...problems];
  if (all.length > 0) throw RootcellarError.ofProblems(all);
  return {
    language,
    image: imageFor(served, language),
    program: programOf(body, language),
    arguments: body.args ?? [],
    environment: body.env,
    limits: limits.limits,
    network,
    input: body.stdin === undefined ? undefined : bytesOf(body.stdin),
    files: inputFiles(body),
  };
}

/** Throws E_PROGRAM_NOT_FOUND. */
export function imageFor({ byLanguage, image }: ServedImage, language: RunLanguage): RunRequest['image'] {
  const found = byLanguage[language];
  if (found !== undefined) return found;
  const what = language === 'python3' ? 'Python' : 'Node.js';
  throw new RootcellarError('E_PROGRAM_NOT_FOUND', `image \`${image.name}\`: has no ${what} to run a program with`, {
    hint: `ask for one of: ${Object.keys(byLanguage).join(', ')}`,
  });
}

/** What a run may have that asks for nothing: never more than the most. */
export function usualLimits({ served, settings }: Omit<RunTerms, 'given'>): Limits {
  const usual = { ...served.manifest.sandbox.limits, ...settings.limits };
  const entries = Object.values(LIMIT_FIELDS).map((field) => [
    field,
    Math.min(usual[field], settings.mostLimits[field] ?? usual[field]),
  ]);
  return { ...usual, ...Object.fromEntries(entries) };
}

function checkImage(wanted: string | undefined, { image }: ServedImage): void {
  if (wanted === undefined || wanted === image.name || wanted === image.diffId) return;
  throw new RootcellarError('E_IMAGE_NOT_FOUND', `image ${quotedWord(wanted)}: is not served here`, {
    hint: `leave \`image\` out, or write \`${image.name}\``,
  });
}

function languageOf({ language, main }: RunBody | CheckedBody): RunLanguage {
  return language ?? (/\.[cm]?js$/.test(main ?? '') ? 'nodejs' : 'python3');
}

function programProblems({ code, main, files }: CheckedBody): readonly Problem[] {
  if (code !== undefined && main !== undefined) {
    return beyond('`code` and `main`: only one of them is the program', 'leave one out');
  }
  if (code === undefined && main === undefined) {
    return beyond('there is no program', 'add `code`, or `files` and `main`');
  }
  if (main === undefined || Object.hasOwn(files ?? {}, main)) return [];
  return beyond(`\`main\`: ${quotedWord(main)} is none of \`files\``, 'write a path that `files` has');
}

function beyond(message: string, hint: string): readonly Problem[] {
  return [{ code: 'E_REQUEST', message, hint }];
}

function programOf({ code, main = '' }: CheckedBody, language: RunLanguage): Program {
  const name = language === 'python3' ? 'main.py' : 'main.js';
  const starter = language === 'python3' ? pythonStarter(main) : nodeStarter(main);
  return { kind: 'file', file: { name, content: Buffer.from(code ?? starter) } };
}

/** Cells run Python isolated, so that the working directory is not searched for modules unless it is named. */
function pythonStarter(main: string): string {
  const path = JSON.stringify(main);
  return `import os, runpy, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(${path})))
runpy.run_path(${path}, run_name='__main__')
`;
}

/** Loads both kinds of modules. */
function nodeStarter(main: string): string {
  const path = `require('node:path').resolve(${JSON.stringify(main)})`;
  return `const { argv } = require('node:process');
argv[1] = ${path};
import(require('node:url').pathToFileURL(argv[1]));
`;
}

interface ChosenLimits {
  readonly limits: Partial<Limits>;
  readonly problems: readonly Problem[];
}

function limitsFor({ limits: asked }: CheckedBody, terms: RunTerms): ChosenLimits {
  const usual = usualLimits(terms);
  const names = terms.given.filter(isLimitName);
  if (asked === undefined) return { limits: usual, problems: [] };
  const problems = names.flatMap((name): readonly Problem[] => {
    const field = LIMIT_FIELDS[name];
    const most = terms.settings.mostLimits[field] ?? usual[field];
    if (asked[field] <= most) return [];
    const message = `\`limits.${name}\`: is more than this service allows, which is ${limitText(name, most)}`;
    return beyond(message, `write at most ${limitText(name, most)}`);
  });
  const own = names.map((name) => [LIMIT_FIELDS[name], asked[LIMIT_FIELDS[name]]]);
  return { limits: { ...usual, ...Object.fromEntries(own) }, problems };
}

function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMIT_FIELDS, name);
}

/** As a request would have to write it. */
function limitText(name: LimitName, value: number): string {
  if (name === 'processes' || name === 'open_files') return `${value}`;
  if (name === 'cpu' || name === 'wall') return `\`${value}ms\``;
  return `\`${value}B\``;
}

interface ChosenNetwork {
  readonly network: NetworkSettings;
  readonly problems: readonly Problem[];
}

function networkFor(asked: RunBody['network'], allowed: NetworkSettings): ChosenNetwork {
  if (asked === undefined) return { network: allowed, problems: [] };
  const isHost = asked === 'host';
  const ownHost: NetworkSettings =
    typeof allowed === 'object' && allowed.mode === 'host' ? allowed : { mode: 'host', proxies: {} };
  const wanted: NetworkSettings =
    asked === 'none' ? asked : isHost ? ownHost : { mode: 'proxy', allow: asked.proxy.allow };
  if (isNetworkWithin(wanted, allowed)) return { network: wanted, problems: [] };
  const message = `\`network\`: is more than this service allows, which is ${networkText(allowed)}`;
  const hint = allowed === 'none' ? 'leave it out' : 'leave it out, or name hosts that are allowed';
  return { network: 'none', problems: beyond(message, hint) };
}

function inputFiles({ files }: CheckedBody): readonly InputFile[] | undefined {
  return files === undefined ? undefined : Object.entries(files).map(([path, content]) => inputFile(path, content));
}

function inputFile(path: string, content: FileContent): InputFile {
  if (typeof content === 'string') return { path, content: Buffer.from(content) };
  const bytes = 'text' in content ? Buffer.from(content.text) : Buffer.from(content.base64, 'base64');
  return { path, content: bytes, isExecutable: content.executable === true };
}

function bytesOf(value: TextOrBytes): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64');
}
