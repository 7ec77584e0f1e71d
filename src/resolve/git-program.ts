import { execa } from 'execa';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { redactAddresses } from './redact.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';

/** A bare repository of our own, and where it gets commits from. */
export interface Checkout {
  /** Absolute path of a folder, in which git runs. */
  readonly folder: string;
  /** May hold credentials: never shown. */
  readonly address: string;
  /** Of the requirement, for messages. */
  readonly name: string;
  readonly settings: ResolverSettings;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Which transports may be used, whatever the user's settings and a server's redirection say. See git(1). */
const PROTOCOLS = 'file:http:https:ssh';

/** The user's own settings count: they know credentials, mirrors and certificates. These do not, and nothing asks for a password. */
const OVERRIDES: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['init.defaultBranch', 'none'],
  ['advice.detachedHead', 'false'],
];

/** Variables of git that tell how to reach servers; all others could make it do something else. */
const KEPT =
  /^GIT_(?:SSL_CAINFO|SSL_CAPATH|SSL_CERT|SSL_KEY|SSL_NO_VERIFY|SSH|SSH_COMMAND|SSH_VARIANT|HTTP_PROXY_AUTHMETHOD|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM)$/;

const TIMEOUT_MS = 15 * 60_000;
const MOST_OUTPUT = 1024 ** 3;
/** Of one file that git writes, in blocks of 512 bytes as ulimit(1) of POSIX counts: 2 GiB. */
const LARGEST_PACK = 4_194_304;

/**
 * Runs git to its end, without hooks, prompts or submodules. Throws E_RESOLVER_MISSING where there is none, E_DOWNLOAD when it
 * takes too long, E_CANCELLED.
 */
export async function runGit(
  { folder, address, name, settings }: Checkout,
  words: readonly string[],
  input: string = '',
): Promise<GitResult> {
  const { environment, signal } = settings;
  const result = await execa('/bin/sh', ['-c', `ulimit -f ${LARGEST_PACK}; exec git "$@"`, 'git', ...words], {
    cwd: folder,
    env: gitEnvironment(environment, address, folder),
    extendEnv: false,
    encoding: 'buffer',
    input,
    reject: false,
    timeout: TIMEOUT_MS,
    forceKillAfterDelay: 2000,
    maxBuffer: MOST_OUTPUT,
    stripFinalNewline: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.isCanceled) throw new RootcellarError('E_CANCELLED', 'git: stopped');
  if (result.exitCode === 127) {
    throw new RootcellarError('E_RESOLVER_MISSING', `python requirement \`${name}\`: git is not on this machine`, {
      hint: 'apt-get install git',
    });
  }
  const stderr = Buffer.from(result.stderr).toString('utf8');
  if (result.exitCode === undefined) {
    throw new RootcellarError('E_DOWNLOAD', `repository of \`${name}\`: git took too long, or got too much`, {
      hint: 'check the network, then try again',
    });
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr };
}

/** The address is a setting too, so that no list of processes shows what may be in it. */
function gitEnvironment(environment: Environment, address: string, folder: string): Environment {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith('GIT_') || KEPT.test(name));
  const config = [...OVERRIDES, ['remote.origin.url', address] as const];
  const variables = config.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key] as const,
    [`GIT_CONFIG_VALUE_${index}`, value] as const,
  ]);
  return {
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    ...Object.fromEntries(kept),
    ...Object.fromEntries(variables),
    GIT_CONFIG_COUNT: `${config.length}`,
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    GIT_ASKPASS: '',
    GIT_CEILING_DIRECTORIES: folder,
    GIT_DIR: `${folder}/git`,
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C.UTF-8',
    SSH_ASKPASS: undefined,
  };
}

/** What git said, without addresses, as a fault of the repository. */
export function gitFault({ name }: Checkout, { stderr }: GitResult): RootcellarError {
  const lines = redactAddresses(stderr)
    .split('\n')
    .map((line) => line.replace(/^(?:fatal|error|remote): /, '').trim())
    .filter((line) => line !== '');
  const isRefused =
    /could not read (?:Username|Password)|Authentication failed|Permission denied|terminal prompts/.test(stderr);
  const isForbidden = /transport '.*' not allowed/.test(stderr);
  const said = lines
    .slice(0, 3)
    .join('; ')
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, 400);
  return new RootcellarError('E_DOWNLOAD', `repository of \`${name}\`: git says: ${said}`, {
    hint: isForbidden
      ? 'write its address with https: or ssh:'
      : isRefused
        ? 'give git its credentials: in ~/.netrc, by a credential helper, or with an ssh key'
        : 'check the address and the network, then try again',
  });
}
