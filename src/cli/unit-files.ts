import { existsSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { execa } from 'execa';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { UNIT_MARK, unitStem, type Unit } from '../refresh/systemd-units.ts';
import { replaceFile, writeError } from '../store/replace-file.ts';
import type { CommandContext } from './command-context.ts';
import { ownFile } from './own-file.ts';
import type { ScheduleVerbFlags } from './schedule-command.ts';

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

/** Writes all or none where one is somebody else's. Returns the files. Throws E_USAGE, E_SCHEDULE. */
export async function installUnits(
  units: readonly Unit[],
  place: UnitPlace,
  signal: AbortSignal,
): Promise<readonly string[]> {
  checkManager(place);
  await checkFolder(place);
  const files = units.map(({ file, text }) => ({ path: join(place.folder, file), text }));
  for (const { path } of files) await ownFile(path, UNIT_MARK);
  for (const { path, text } of files)
    await replaceFile(path, (temporary) => writeFile(temporary, text, { mode: 0o644 }));
  if (place.isLive) {
    const timers = units.map(({ file }) => file).filter((file) => file.endsWith('.timer'));
    await systemctl(['daemon-reload'], place, signal);
    await systemctl(['enable', '--now', ...timers], place, signal);
    // One that runs already keeps the times that it began with.
    await systemctl(['restart', ...timers], place, signal);
  }
  return files.map(({ path }) => path);
}

/** Those of these images. What is not there is passed over. Returns the files that were. Throws E_USAGE, E_SCHEDULE. */
export async function removeUnits(
  names: readonly string[],
  place: UnitPlace,
  signal: AbortSignal,
): Promise<readonly string[]> {
  checkManager(place);
  await checkFolder(place);
  const stems = names.map(unitStem);
  const paths = stems.flatMap((stem) => ['timer', 'service'].map((kind) => join(place.folder, `${stem}.${kind}`)));
  const there: string[] = [];
  for (const path of paths) if ((await ownFile(path, UNIT_MARK)) !== undefined) there.push(path);
  const timers = there.filter((path) => path.endsWith('.timer')).map((path) => path.slice(place.folder.length + 1));
  if (place.isLive && timers.length > 0) await systemctl(['disable', '--now', ...timers], place, signal);
  for (const path of there) await removeUnit(path);
  if (place.isLive && there.length > 0) await systemctl(['daemon-reload'], place, signal);
  return there;
}

async function removeUnit(path: string): Promise<void> {
  try {
    await rm(path);
  } catch (error) {
    throw writeError(path, error);
  }
}

/** One that is not there holds no units, and can be made. */
async function checkFolder({ folder }: UnitPlace): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw writeError(folder, error);
  }
  throw new RootcellarError('E_USAGE', `\`${folder}\`: is no folder`, {
    hint: 'give --output-dir the path of a folder',
  });
}

/** Before anything is written. Source: sd_booted(3). */
function checkManager({ isLive, manager }: UnitPlace): void {
  if (!isLive || manager === 'user' || existsSync('/run/systemd/system')) return;
  throw new RootcellarError('E_SCHEDULE', 'this machine: systemd does not run here', {
    hint: 'give --output-dir FOLDER, or: rootcellar refresh --scheduled RECIPE',
  });
}

async function systemctl(words: readonly string[], { manager }: UnitPlace, signal: AbortSignal): Promise<void> {
  const all = [...(manager === 'user' ? ['--user'] : []), ...words];
  const result = await execa('systemctl', all, { reject: false, cancelSignal: signal, stdin: 'ignore' });
  if (result.exitCode === 0) return;
  signal.throwIfAborted();
  const why = result.stderr.trim().split('\n').at(-1) ?? '';
  throw new RootcellarError('E_SCHEDULE', `systemctl ${words[0] ?? ''}: ${why === '' ? result.shortMessage : why}`, {
    hint: ['systemctl', ...all].map(shellWord).join(' '),
  });
}
