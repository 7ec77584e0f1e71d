import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { execa, type Options } from 'execa';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { UNIT_MARK, unitStem, type Unit } from '../refresh/systemd-units.ts';
import { makeFolders, removeFolders, replaceFile, writeError } from '../store/replace-file.ts';
import type { CommandContext } from './command-context.ts';
import { ownFile } from './own-file.ts';
import type { ScheduleVerbFlags } from './schedule-command.ts';
import { checkTargetFolder } from './target-folder.ts';

/** Where units are, and who reads them. */
export interface UnitPlace {
  readonly manager: 'system' | 'user';
  /** Absolute. */
  readonly folder: string;
  /** Whether the manager is told. */
  readonly isLive: boolean;
}

/** Throws E_USAGE. */
export function unitPlace({ user, outputDir }: ScheduleVerbFlags, { environment, uid }: CommandContext): UnitPlace {
  const manager = user === true || uid !== 0 ? 'user' : 'system';
  if (outputDir !== undefined) return { manager, folder: resolve(outputDir), isLive: false };
  if (manager === 'system') return { manager, folder: '/etc/systemd/system', isLive: true };
  const config = environment['XDG_CONFIG_HOME'] ?? '';
  if (isAbsolute(config)) return { manager, folder: join(config, 'systemd/user'), isLive: true };
  const home = environment['HOME'] ?? '';
  if (isAbsolute(home)) return { manager, folder: join(home, '.config/systemd/user'), isLive: true };
  throw new RootcellarError('E_USAGE', 'units: neither `XDG_CONFIG_HOME` nor `HOME` says where they are', {
    hint: 'give --output-dir FOLDER',
  });
}

/** All or nothing: what was there before comes back where one cannot be written, or the manager fails. Returns the files. Throws E_USAGE, E_SCHEDULE. */
export async function installUnits(
  units: readonly Unit[],
  place: UnitPlace,
  signal: AbortSignal,
): Promise<readonly string[]> {
  checkManager(place);
  await checkTargetFolder(place.folder, '--output-dir');
  const files: UnitFile[] = [];
  for (const { file, text } of units) {
    const path = join(place.folder, file);
    files.push({ file, path, text, before: await ownFile(path, UNIT_MARK) });
  }
  const made = await makePlace(place);
  const written: UnitFile[] = [];
  try {
    for (const file of files) {
      await writeUnit(file.path, file.text);
      written.push(file);
    }
    if (place.isLive) await startTimers(timersOf(files), place, signal);
  } catch (error) {
    await undo(written, place);
    await removeFolders(made);
    throw error;
  }
  return files.map(({ path }) => path);
}

interface UnitFile extends Unit {
  readonly path: string;
  /** Undefined: it is new. */
  readonly before: Uint8Array | undefined;
}

async function makePlace({ folder }: UnitPlace): Promise<readonly string[]> {
  try {
    return await makeFolders(folder);
  } catch (error) {
    throw writeError(folder, error);
  }
}

async function writeUnit(path: string, content: string | Uint8Array): Promise<void> {
  await replaceFile(path, (temporary) => writeFile(temporary, content, { mode: 0o644 }));
}

function timersOf(files: readonly UnitFile[]): readonly string[] {
  return files.map(({ file }) => file).filter((file) => file.endsWith('.timer'));
}

async function startTimers(timers: readonly string[], place: UnitPlace, signal: AbortSignal): Promise<void> {
  const words = place.manager === 'user' ? 'systemctl --user status' : 'systemctl status';
  const hint = `give --output-dir FOLDER, or see what is wrong: ${words}`;
  await systemctl(['daemon-reload'], place, { signal, hint });
  await systemctl(['enable', '--now', ...timers], place, { signal, hint });
  // One that runs already keeps the times that it began with.
  await systemctl(['restart', ...timers], place, { signal, hint });
}

/** The manager is asked as far as it answers: it may be what has failed. */
async function undo(written: readonly UnitFile[], place: UnitPlace): Promise<void> {
  const added = timersOf(written.filter(({ before }) => before === undefined));
  if (place.isLive && added.length > 0) await askManager(['disable', '--now', ...added], place, UNDOING);
  for (const { path, before } of written) {
    if (before === undefined) await removeUnit(path);
    else await writeUnit(path, before);
  }
  if (!place.isLive || written.length === 0) return;
  await askManager(['daemon-reload'], place, UNDOING);
  const kept = timersOf(written.filter(({ before }) => before !== undefined));
  if (kept.length > 0) await askManager(['try-restart', ...kept], place, UNDOING);
}

/** Also after a signal that ends the command. */
const UNDOING: ManagerOptions = { timeout: 10_000 };

/** Those of these images. What is not there is passed over. Returns the files that were. Throws E_USAGE, E_SCHEDULE. */
export async function removeUnits(
  names: readonly string[],
  place: UnitPlace,
  signal: AbortSignal,
): Promise<readonly string[]> {
  checkManager(place);
  await checkTargetFolder(place.folder, '--output-dir');
  const stems = names.map(unitStem);
  const paths = stems.flatMap((stem) => ['timer', 'service'].map((kind) => join(place.folder, `${stem}.${kind}`)));
  const there: string[] = [];
  for (const path of paths) if ((await ownFile(path, UNIT_MARK)) !== undefined) there.push(path);
  const timers = there.filter((path) => path.endsWith('.timer')).map((path) => path.slice(place.folder.length + 1));
  if (place.isLive && timers.length > 0) await systemctl(['disable', '--now', ...timers], place, { signal });
  for (const path of there) await removeUnit(path);
  if (place.isLive && there.length > 0) await systemctl(['daemon-reload'], place, { signal });
  return there;
}

async function removeUnit(path: string): Promise<void> {
  try {
    await rm(path);
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Before anything is written. Source: sd_booted(3). */
function checkManager({ isLive, manager }: UnitPlace): void {
  if (!isLive || manager === 'user' || existsSync('/run/systemd/system')) return;
  throw new RootcellarError('E_SCHEDULE', 'this machine: systemd does not run here', {
    hint: 'give --output-dir FOLDER, or: rootcellar refresh --scheduled RECIPE',
  });
}

interface Wish {
  readonly signal: AbortSignal;
  /** The command itself when undefined. */
  readonly hint?: string;
}

/** Throws E_SCHEDULE. */
async function systemctl(words: readonly string[], place: UnitPlace, { signal, hint }: Wish): Promise<void> {
  const result = await askManager(words, place, { cancelSignal: signal });
  if (result.exitCode === 0) return;
  signal.throwIfAborted();
  const why = result.stderr.trim().split('\n').at(-1) ?? '';
  throw new RootcellarError('E_SCHEDULE', `systemctl ${words[0] ?? ''}: ${why === '' ? result.shortMessage : why}`, {
    hint: hint ?? ['systemctl', ...managerWords(words, place)].map(shellWord).join(' '),
  });
}

type ManagerOptions = Pick<Options, 'cancelSignal' | 'timeout'>;

interface Answer {
  readonly exitCode?: number | undefined;
  readonly stderr: string;
  readonly shortMessage?: string | undefined;
}

async function askManager(words: readonly string[], place: UnitPlace, options: ManagerOptions): Promise<Answer> {
  return await execa('systemctl', managerWords(words, place), { ...options, reject: false, stdin: 'ignore' });
}

function managerWords(words: readonly string[], { manager }: UnitPlace): readonly string[] {
  return [...(manager === 'user' ? ['--user'] : []), ...words];
}
