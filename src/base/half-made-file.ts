import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kill, pid } from 'node:process';
import { digestOf, shortDigest } from './digest.ts';
import { isErrno } from './rootcellar-error.ts';

const NAME = /^\.rootcellar-([0-9a-f]{12})-(\d{1,10})-[0-9a-f]{12}\.tmp$/;

/**
 * A name beside `path` for the file or folder that is to take its place by a rename, and which says whose it is. What
 * processes that were killed half-made in that folder is removed first; that of living ones and of other machines is not.
 */
export function halfMadeFile(path: string): string {
  const folder = dirname(path);
  const machine = thisMachine();
  sweep(folder, machine);
  return join(folder, `.rootcellar-${machine}-${pid}-${randomBytes(6).toString('hex')}.tmp`);
}

/** Process ids mean something only within one boot and one PID namespace: folders can be shared beyond both. */
function thisMachine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    return shortDigest(digestOf(boot + readlinkSync('/proc/self/ns/pid')));
  } catch {
    return shortDigest(digestOf(randomBytes(32)));
  }
}

function sweep(folder: string, machine: string): void {
  for (const name of namesIn(folder)) {
    const [, maker, id] = NAME.exec(name) ?? [];
    if (maker === machine && !isAlive(Number(id))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** None where the folder cannot be read: whoever writes there gets an error that says so. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(id: number): boolean {
  try {
    return kill(id, 0);
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
}
