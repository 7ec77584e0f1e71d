import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { parsePylock, preferencesPylock, type PylockPackage } from './pylock.ts';
import { readFailure, type PythonFailure } from './python-failure.ts';
import { keptVariables, type PickedWheel, type PythonAnswer, type PythonRequest } from './python-resolution.ts';
import { tagRanks, wheelTags } from './python-tags.ts';
import { tailOf } from './redact.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';
import { runTool, type ToolResult } from './run-tool.ts';
import { withTemporaryFolder } from './temporary-folder.ts';
import { UV_KEPT, uvArguments } from './uv-command.ts';
import { bestWheel } from './wheel-name.ts';

/** Gives the path of an interpreter that uv may run, for machines that have none. */
export type FindPython = () => Promise<string>;

const TIMEOUT_MS = 15 * 60_000;

/** Version of the uv on PATH, or undefined when there is none. */
export async function uvVersion(settings: ResolverSettings): Promise<string | undefined> {
  const result = await runTool({
    program: 'uv',
    arguments: ['--version'],
    environment: settings.environment,
    folder: '/',
    signal: settings.signal,
    timeoutMs: 60_000,
  });
  return result?.exitCode === 0 ? /^uv (\S+)/.exec(result.stdout)?.[1] : undefined;
}

/**
 * Has uv resolve, and picks one wheel of each package. Throws E_REQUIREMENT_NO_WHEEL, and E_RESOLVER_FAILED when uv does
 * not work at all; says in the result why the requirements cannot be resolved.
 */
export async function resolveWithUv(
  request: PythonRequest,
  {
    settings,
    version,
    findPython,
  }: { readonly settings: ResolverSettings; readonly version: string; readonly findPython: FindPython },
): Promise<PythonAnswer | PythonFailure> {
  const packages = await withTemporaryFolder(settings.temporaryFolder, async (folder) => {
    const file = join(folder, 'pylock.toml');
    if (request.preferences.size > 0) await writeFile(file, preferencesPylock(request.preferences));
    await writeFile(join(folder, 'constraints.txt'), `${(request.constraints ?? []).join('\n')}\n`);
    let result = await runUv(request, { settings, folder, python: undefined });
    if (result.exitCode !== 0 && /No interpreter found|No Python (?:interpreter|installation)/.test(result.stderr)) {
      result = await runUv(request, { settings, folder, python: await findPython() });
    }
    if (result.exitCode !== 0) return readFailure('uv', result.stderr);
    const parsed = parsePylock(await readFile(file, 'utf8'));
    if (parsed === undefined)
      throw new RootcellarError('E_RESOLVER_FAILED', `uv: its pylock.toml cannot be read: ${tailOf(result.stderr, 3)}`);
    return parsed;
  });
  if ('kind' in packages) return packages;
  const ranks = tagRanks(wheelTags(request.target));
  return { kind: 'answer', tool: 'uv', version, wheels: packages.map((item) => pickWheel(item, ranks)) };
}

interface UvRun {
  readonly settings: ResolverSettings;
  readonly folder: string;
  readonly python: string | undefined;
}

async function runUv(request: PythonRequest, { settings, folder, python }: UvRun): Promise<ToolResult> {
  const result = await runTool({
    program: 'uv',
    arguments: [
      ...uvArguments(request.target, python),
      '--constraint',
      'constraints.txt',
      ...(request.preReleases === true ? ['--prerelease', 'allow'] : []),
    ],
    environment: uvEnvironment(settings.environment, request.indexVariables),
    folder,
    input: `${request.lines.join('\n')}\n`,
    signal: settings.signal,
    timeoutMs: TIMEOUT_MS,
  });
  if (result === undefined) throw new RootcellarError('E_RESOLVER_MISSING', 'uv: no such program');
  return result;
}

function uvEnvironment(environment: Environment, indexVariables: Environment): Environment {
  return {
    ...keptVariables(environment, 'UV_', UV_KEPT),
    SSL_CERT_FILE: environment['SSL_CERT_FILE'] ?? environment['PIP_CERT'] ?? environment['REQUESTS_CA_BUNDLE'],
    VIRTUAL_ENV: undefined,
    ...indexVariables,
  };
}

function pickWheel({ name, version, wheels }: PylockPackage, ranks: ReadonlyMap<string, number>): PickedWheel {
  const file = bestWheel(
    wheels.map((wheel) => wheel.file),
    ranks,
  );
  const digest = wheels.find((wheel) => wheel.file === file)?.digest;
  if (file === undefined) {
    throw new RootcellarError(
      'E_REQUIREMENT_NO_WHEEL',
      `python requirement \`${name}\`: version ${version} has no wheel for this interpreter`,
      {
        hint: 'choose a version that has one',
      },
    );
  }
  return { name, version, file, digest };
}
