import { access, constants, readFile } from 'node:fs/promises';
import { isErrno } from '../base/rootcellar-error.ts';
import { cgroupHost, parseMembership, type CgroupHost } from './cgroup-host.ts';

/** Where this process may make control groups now. Nothing is written. */
export async function probeCgroups(): Promise<CgroupHost> {
  const [cgroup, mountinfo] = await Promise.all([readOr('/proc/self/cgroup'), readOr('/proc/self/mountinfo')]);
  const membership = parseMembership(cgroup, mountinfo);
  const controls = await Promise.all(
    membership.versionTwo.map(
      async (directory) => [directory, await readOr(`${directory}/cgroup.subtree_control`)] as const,
    ),
  );
  return writable(cgroupHost(membership, new Map(controls)));
}

/** In a container they are often there to look at only. */
async function writable({ versionOne, versionTwo }: CgroupHost): Promise<CgroupHost> {
  const ones = await Promise.all([...versionOne].map(async (row) => ((await isWritable(row[1])) ? [row] : [])));
  const isTwo = versionTwo !== undefined && (await isWritable(versionTwo.directory));
  return { versionOne: new Map(ones.flat()), versionTwo: isTwo ? versionTwo : undefined };
}

function isWritable(directory: string): Promise<boolean> {
  return access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** A file that is not there, or not for us, hands no controllers out. */
async function readOr(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) return '';
    throw error;
  }
}
