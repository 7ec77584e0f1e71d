import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import { parsePipReport, type PipReport } from './pip-report.ts';
import { readFailure, type PythonFailure } from './python-failure.ts';
import { keptVariables, type PickedWheel, type PythonAnswer, type PythonRequest } from './python-resolution.ts';
import { linuxPlatforms, type PythonTarget } from './python-tags.ts';
import { redactAddresses, tailOf } from './redact.ts';
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
 * Has pip resolve, run by the image's own interpreter, so that markers and tags are the image's. For another architecture
 * than this machine's, its counterpart for this machine runs pip, which is told what the image's would see.
 * Throws E_RESOLVER_FAILED when it does not work at all; says in the result why the requirements cannot be resolved.
 */
export async function resolveWithPip(request: PythonRequest, tools: PipTools): Promise<PythonAnswer | PythonFailure> {
  const version = pipVersion(tools);
  const result = await runPreferring(request, tools, MOST_LET_GO);
  return result.kind === 'failure' ? result : { kind: 'answer', tool: 'pip', version, wheels: result.wheels };
}

/** One by one, that many preferred versions are let go that pip complains of; then all at once. */
const MOST_LET_GO = 8;

async function runPreferring(
  request: PythonRequest,
  tools: PipTools,
  tries: number,
): Promise<PipWheels | PythonFailure> {
  const { preferences } = request;
  const result = await runPip(request, tools);
  if (result.kind === 'wheels' || preferences.size === 0) return result;
  const culprit = normalName(result.distribution ?? '');
  const isOne = tries > 0 && preferences.has(culprit);
  const fewer = new Map(isOne ? [...preferences].filter(([name]) => name !== culprit) : []);
  return await runPreferring({ ...request, preferences: fewer }, tools, tries - 1);
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

/** As the name of its wheel says: starting it takes seconds. */
function pipVersion({ interpreter }: PipTools): string {
  return /\/pip-(\d[^-/]*)-[^/]*\.whl\//.exec(interpreter.pip)?.[1] ?? 'unknown';
}

async function runPip(request: PythonRequest, { settings, interpreter }: PipTools): Promise<PipWheels | PythonFailure> {
  return await withTemporaryFolder(settings.temporaryFolder, async (folder) => {
    const preferred = [...request.preferences].map(([name, version]) => `${name}==${version}`);
    const constraints = [...(request.constraints ?? []), ...preferred].map((line) => `${line}\n`).join('');
    await Promise.all([
      writeFile(join(folder, 'requirements.txt'), `${request.lines.join('\n')}\n`),
      writeFile(join(folder, 'constraints.txt'), constraints),
    ]);
    const environment = { ...pipEnvironment(settings), ...request.indexVariables };
    const { target, preReleases } = request;
    const isForeign = target.architecture !== settings.hostArchitecture;
    const asked = preReleases === true ? [...INSTALL, '--pre'] : INSTALL;
    const words = isForeign ? [...asked, ...foreignArguments(target)] : asked;
    const pretended = isForeign ? target : undefined;
    const result = await runPython(words, { settings, interpreter, environment, folder, pretended });
    const output = `${result.stdout}\n${result.stderr}`;
    if (result.exitCode !== 0 && output.includes(KEPT_FROM_RUNNING)) throw wantsBuilding(output);
    if (result.exitCode !== 0) return readFailure('pip', output);
    const report = parsePipReport(await readFile(join(folder, 'report.json'), 'utf8'));
    if (report !== undefined) {
      if (isForeign) checkMarkers(report, target);
      return { kind: 'wheels', wheels: report.wheels };
    }
    throw new RootcellarError('E_RESOLVER_FAILED', `pip: its report cannot be read: ${tailOf(result.stderr, 3)}`);
  });
}

function wantsBuilding(output: string): RootcellarError {
  const last = [...output.matchAll(/^(?:Collecting|Processing) (.*)$/gm)].at(-1)?.[1];
  const what = last === undefined ? 'a package' : redactAddresses(last);
  const message = `python requirements: pip wants to build ${what}, and nothing is built on this machine`;
  const hint = 'require that package itself, and name it in `python.build_from_source`';
  return new RootcellarError('E_REQUIREMENT_NO_WHEEL', message, { hint });
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

/**
 * What of the target goes into tags: each level of manylinux, since pip takes those that it is given literally. `--target`
 * is where pip demands to install to for another platform; a dry run leaves it alone.
 */
function foreignArguments(target: PythonTarget): readonly string[] {
  const minor = target.pythonVersion.split('.')[1] ?? '';
  return [
    '--implementation',
    'cp',
    '--python-version',
    target.pythonVersion,
    '--abi',
    `cp3${minor}`,
    '--target',
    'nowhere',
    ...linuxPlatforms(target).flatMap((platform) => ['--platform', platform]),
  ];
}

/** Options of pip decide tags, not markers. It must never resolve for another machine than it is asked for. */
function checkMarkers({ environment }: PipReport, { architecture, pythonVersion }: PythonTarget): void {
  const expected = `${ARCHITECTURE_FACTS[architecture].machine}, Python ${pythonVersion}`;
  const used = `${environment.machine ?? 'no machine'}, Python ${environment.pythonVersion ?? 'unknown'}`;
  if (used === expected) return;
  throw new RootcellarError('E_RESOLVER_FAILED', `pip: it has resolved for ${used}, not for ${expected}`, {
    hint: 'install uv, which resolves for any architecture',
  });
}

/** How pip's output says that it was kept from running something. */
const KEPT_FROM_RUNNING = 'rootcellar: pip may not run other programs';

/**
 * Starts pip where it can start nothing else. `--only-binary` does not hold for packages that another one names by address:
 * pip would build them, and so run their code on this machine. No audit hook can be taken away; sys.addaudithook().
 * What the target's interpreter would see comes before: environment markers are made of these two functions.
 * Source: `default_environment` of the `packaging` library; PEP 508, "Environment Markers".
 */
const CONFINED_PIP = `
import platform, runpy, sys
pip, machine, version = sys.argv[1:4]
if machine:
    platform.machine = lambda: machine
    platform.python_version = lambda: version
STARTS = ('subprocess.Popen', 'os.exec', 'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.spawn', 'os.system', 'pty.spawn')
def refuse(event, words):
    if event in STARTS:
        raise PermissionError('${KEPT_FROM_RUNNING}')
sys.argv = [pip] + sys.argv[4:]
sys.path[0] = pip.rpartition('/')[0]
sys.addaudithook(refuse)
runpy.run_module('pip', run_name='__main__', alter_sys=True)
`;

interface PythonRun extends PipTools {
  readonly environment: Environment;
  readonly folder: string;
  /** The target whose interpreter is to be taken for this one. */
  readonly pretended?: PythonTarget | undefined;
}

async function runPython(parameters: readonly string[], run: PythonRun): Promise<ToolResult> {
  const { program, pip } = run.interpreter;
  const { pretended } = run;
  const machine = pretended === undefined ? '' : ARCHITECTURE_FACTS[pretended.architecture].machine;
  const start = ['-c', CONFINED_PIP, pip, machine, pretended?.pythonVersion ?? ''];
  const result = await runTool({
    program,
    arguments: ['-s', '-B', ...start, ...parameters],
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
