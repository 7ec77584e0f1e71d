import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import { parsePipReport } from './pip-report.ts';
import { readFailure, type PythonFailure } from './python-failure.ts';
import { keptVariables, type PickedWheel, type PythonAnswer, type PythonRequest } from './python-resolution.ts';
import { tailOf } from './redact.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';
import { runTool, type ToolResult } from './run-tool.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

/** Variables of pip that say how to reach indexes; all others could change what is resolved. */
const PIP_KEPT =
  /^(?:INDEX_URL|EXTRA_INDEX_URL|CERT|CLIENT_CERT|PROXY|TRUSTED_HOST|TIMEOUT|DEFAULT_TIMEOUT|RETRIES|CONFIG_FILE|KEYRING_PROVIDER|NO_INDEX)$/;

const TIMEOUT_MS = 15 * 60_000;

export interface PipTools {
  readonly settings: ResolverSettings;
  readonly interpreter: UnpackedInterpreter;
}

/**
 * Has pip resolve, run by the image's own interpreter, so that markers and tags are the image's.
 * Throws E_RESOLVER_FAILED when it does not work at all; says in the result why the requirements cannot be resolved.
 */
export async function resolveWithPip(request: PythonRequest, tools: PipTools): Promise<PythonAnswer | PythonFailure> {
  const version = await pipVersion(tools);
  const first = await runPip(request, tools);
  const again = first.kind === 'failure' && request.preferences.size > 0;
  const result = again ? await runPip({ ...request, preferences: new Map() }, tools) : first;
  return result.kind === 'failure' ? result : { kind: 'answer', tool: 'pip', version, wheels: result.wheels };
}

interface PipWheels {
  readonly kind: 'wheels';
  readonly wheels: readonly PickedWheel[];
}

/** The text in which pip names its default index. */
export async function pipHelp({ settings, interpreter }: PipTools): Promise<string> {
  const environment = { ...pipEnvironment(settings), PIP_INDEX_URL: undefined, COLUMNS: '500' };
  const { stdout } = await runPython(['download', '--help'], { settings, interpreter, environment, folder: '/' });
  return stdout;
}

async function pipVersion({ settings, interpreter }: PipTools): Promise<string> {
  const environment = pipEnvironment(settings);
  const { stdout, stderr } = await runPython(['--version'], { settings, interpreter, environment, folder: '/' });
  const version = /^pip (\S+)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new RootcellarError('E_RESOLVER_FAILED', `pip: it does not start: ${tailOf(stderr, 4)}`);
  return version;
}

async function runPip(request: PythonRequest, { settings, interpreter }: PipTools): Promise<PipWheels | PythonFailure> {
  return await withTemporaryFolder(settings.temporaryFolder, async (folder) => {
    const constraints = [...request.preferences].map(([name, version]) => `${name}==${version}\n`).join('');
    await Promise.all([
      writeFile(join(folder, 'requirements.txt'), `${request.lines.join('\n')}\n`),
      writeFile(join(folder, 'constraints.txt'), constraints),
    ]);
    const environment = { ...pipEnvironment(settings), ...request.indexVariables };
    const result = await runPython(INSTALL, { settings, interpreter, environment, folder });
    if (result.exitCode !== 0) return readFailure('pip', `${result.stdout}\n${result.stderr}`);
    const wheels = parsePipReport(await readFile(join(folder, 'report.json'), 'utf8'));
    if (wheels !== undefined) return { kind: 'wheels', wheels };
    throw new RootcellarError('E_RESOLVER_FAILED', `pip: its report cannot be read: ${tailOf(result.stderr, 3)}`);
  });
}

const INSTALL = [
  'install',
  '--dry-run',
  '--ignore-installed',
  '--only-binary',
  ':all:',
  '--progress-bar',
  'off',
  '--report',
  'report.json',
  '--requirement',
  'requirements.txt',
  '--constraint',
  'constraints.txt',
];

interface PythonRun extends PipTools {
  readonly environment: Environment;
  readonly folder: string;
}

async function runPython(parameters: readonly string[], run: PythonRun): Promise<ToolResult> {
  const result = await runTool({
    program: run.interpreter.program,
    arguments: ['-s', '-B', run.interpreter.pip, ...parameters],
    environment: run.environment,
    folder: run.folder,
    signal: run.settings.signal,
    timeoutMs: TIMEOUT_MS,
  });
  if (result === undefined)
    throw new RootcellarError('E_RESOLVER_FAILED', 'pip: the interpreter of the image does not start');
  return result;
}

function pipEnvironment({ environment, cacheFolder, temporaryFolder }: ResolverSettings): Environment {
  return {
    ...keptVariables(environment, 'PIP_', PIP_KEPT),
    PIP_CACHE_DIR: join(cacheFolder, 'pip'),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    PIP_NO_COLOR: '1',
    TMPDIR: temporaryFolder,
    VIRTUAL_ENV: undefined,
    PYTHONHOME: undefined,
    PYTHONPATH: undefined,
  };
}
