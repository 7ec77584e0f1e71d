// What a run of an attack is, for those that start it themselves and for the agent that does it in a restricted host.
// @ts-check
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Milliseconds in a second, which `now` counts in. */
const SECOND = 1000;

/**
 * @typedef {{ kind: 'file', name: string, base64: string } | { kind: 'code', code: string }} AttackProgram
 * @typedef {object} AttackRequest All of it can be written as JSON.
 * @property {AttackProgram} program
 * @property {'python' | 'nodejs'} [image] `python` where it is missing
 * @property {readonly string[]} [arguments]
 * @property {Readonly<Record<string, string>>} [environment]
 * @property {readonly string[]} [limits] such as `wall=2s`
 * @property {number} [input] bytes of stdin
 * @property {'none' | 'host' | readonly string[]} [network] the list: hosts that a proxy lets through
 * @property {boolean} [proc]
 * @property {readonly { path: string, base64: string }[]} [files]
 * @property {readonly { path: string, to?: string }[]} [outputs] into a folder that is looked at, where `to` is missing
 * @property {{ profile: string, allow: readonly string[] }} [syscalls] in place of the image's
 * @typedef {object} AttackModules The library, as it is in `src/` or as it was built.
 * @property {typeof import('../../src/run-program.ts').startProgram} startProgram
 * @property {typeof import('../../src/recipe/limit-setting.ts').parseLimitSetting} parseLimitSetting
 * @property {typeof import('../../src/recipe/network-schema.ts').plainNetwork} plainNetwork
 * @property {typeof import('../../src/run/policy.ts').compilePolicy} compilePolicy
 * @property {typeof import('../../src/run/filter-compiler.ts').compileFilter} compileFilter
 * @property {typeof import('../../src/store/image-manifest.ts').manifestJson} manifestJson
 * @property {typeof import('../../src/store/image-manifest.ts').readManifest} readManifest
 * @property {typeof import('../../src/base/progress.ts').noProgress} noProgress
 * @property {typeof import('../../src/base/rootcellar-error.ts').RootcellarError} RootcellarError
 * @typedef {object} AttackPlace
 * @property {import('../../src/store/store.ts').Store} store
 * @property {Readonly<Record<'python' | 'nodejs', import('../../src/store/image-record.ts').Image>>} images
 * @property {import('../../src/base/architecture.ts').Architecture} architecture
 * @typedef {{ report: import('../../src/run/run-report.ts').RunReport, uid: number | undefined, odd: readonly string[] }} Reported
 *   `odd`: what was taken out and should not be on a disk.
 * @typedef {{ refused: string, message: string }} Refused With the code of the error.
 * @typedef {Reported | Refused} Observed How an attack went.
 */

/**
 * Runs it as the library does for everybody.
 * @param {AttackModules} modules
 * @param {AttackPlace} place
 * @param {{ request: AttackRequest, cancel: AbortSignal }} what
 * @returns {Promise<Observed>}
 */
export async function startAttack(modules, { store, images, architecture }, { request, cancel }) {
  const { syscalls, limits = [], program } = request;
  const image = images[request.image ?? 'python'];
  const out = mkdtempSync(join(tmpdir(), 'rootcellar-out-'));
  try {
    const running = await modules.startProgram(
      {
        image: syscalls === undefined ? image : withPolicy(modules, image, { syscalls, architecture }),
        program: program.kind === 'code' ? program : { kind: 'file', file: fileOf(program) },
        arguments: request.arguments ?? [],
        environment: request.environment,
        limits: Object.assign({}, ...limits.map(modules.parseLimitSetting)),
        network: networkOf(modules, request),
        proc: request.proc,
        ...(request.files === undefined ? {} : { files: request.files.map(inputOf) }),
        ...(request.outputs === undefined ? {} : { outputs: request.outputs.map(outputIn(out)) }),
        stdio: 'capture',
        // What comes out is compared with what the tier promises.
        minimumTier: 'D',
        input: Buffer.alloc(request.input ?? 0, 'x'),
        cancel,
      },
      {
        store,
        environment: {},
        hostArchitecture: architecture,
        signal: new AbortController().signal,
        progress: modules.noProgress,
        now: Math.floor(Date.now() / SECOND),
      },
    );
    const report = await running.report;
    return { report, uid: (await running.facts()).uid, odd: oddFiles(out) };
  } catch (error) {
    if (!(error instanceof modules.RootcellarError)) throw error;
    return { refused: error.problems[0]?.code ?? '', message: error.message };
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** @param {{ path: string, base64: string }} file */
function inputOf({ path, base64 }) {
  return { path, content: Buffer.from(base64, 'base64') };
}

/** @param {string} out */
function outputIn(out) {
  /** @type {(output: { path: string, to?: string }, index: number) => { path: string, to: string }} */
  return ({ path, to }, index) => ({ path, to: to ?? join(out, `${index}`) });
}

/**
 * @param {AttackModules} modules
 * @param {AttackRequest} request
 */
function networkOf({ plainNetwork }, { network = 'none' }) {
  if (network === 'none' || network === 'host') return plainNetwork(network);
  return { mode: /** @type {const} */ ('proxy'), allow: network };
}

/**
 * Below the folder for what is taken out: what is no plain file or folder, and names that were not asked for.
 * @param {string} out
 * @returns {readonly string[]}
 */
function oddFiles(out) {
  const odd = readdirSync(out).filter((name) => !/^\d{1,2}$/.test(name));
  const folders = [Buffer.from(out)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const status = lstatSync(path);
      if (status.isDirectory()) folders.push(path);
      const isPlain = status.isFile() ? status.nlink === 1 : status.isDirectory();
      const isOwn = status.uid === process.getuid?.() && [0o644, 0o755].includes(status.mode & 0o7777);
      if (!isPlain || !isOwn) odd.push(`${status.mode.toString(8)} ${path.toString('latin1')}`);
    }
  }
  return odd;
}

/** @param {Extract<AttackProgram, { kind: 'file' }>} program */
function fileOf({ name, base64 }) {
  return { name, content: Buffer.from(base64, 'base64') };
}

/**
 * The same image, as a recipe with another policy would have given it.
 * @param {AttackModules} modules
 * @param {import('../../src/store/image-record.ts').Image} image
 * @param {{ syscalls: NonNullable<AttackRequest['syscalls']>, architecture: AttackPlace['architecture'] }} other
 * @returns {import('../../src/store/image-record.ts').Image}
 */
function withPolicy({ compilePolicy, compileFilter, manifestJson, readManifest }, image, other) {
  const syscalls = { ...other.syscalls, deny: [] };
  const policy = compilePolicy(syscalls, other.architecture);
  const filter = Buffer.from(compileFilter(policy, other.architecture).program).toString('base64');
  const manifest = readManifest(image.manifest);
  return { ...image, manifest: manifestJson({ ...manifest, filter, sandbox: { ...manifest.sandbox, syscalls } }) };
}
