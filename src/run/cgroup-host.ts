/** Where this process may make control groups. */
export interface CgroupHost {
  /** Version 1: controller → the caller's own directory. */
  readonly versionOne: ReadonlyMap<string, string>;
  /** Version 2: the nearest directory, from the caller's own upwards, that hands controllers to its children. */
  readonly versionTwo: { readonly directory: string; readonly controllers: readonly string[] } | undefined;
}

/** The control groups of a process, before anybody looked into them. */
export interface CgroupMembership {
  readonly versionOne: ReadonlyMap<string, string>;
  /** Version 2: the caller's own directory and its parents up to the mount point; empty when it is not mounted. */
  readonly versionTwo: readonly string[];
}

interface CgroupMount {
  readonly point: string;
  /** The part of the hierarchy that is mounted here. */
  readonly root: string;
  /** Version 1: its controllers. Undefined for version 2. */
  readonly controllers: readonly string[] | undefined;
}

/**
 * Reads `/proc/self/cgroup` and `/proc/self/mountinfo`. Lines that are not understood are left out.
 * Source: proc_pid_mountinfo(5), cgroups(7).
 */
export function parseMembership(cgroup: string, mountinfo: string): CgroupMembership {
  const mounts = mountinfo.split('\n').flatMap(parseMount);
  const versionOne = new Map<string, string>();
  let versionTwo: readonly string[] = [];
  for (const line of cgroup.split('\n')) {
    const [, id, names, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === undefined || names === undefined || path === undefined) continue;
    for (const name of names.split(',')) {
      const mount = mounts.findLast(({ controllers }) => controllers?.includes(name));
      if (name !== '' && mount !== undefined) versionOne.set(name, directoryOf(mount, path));
    }
    const mount = mounts.findLast(({ controllers }) => controllers === undefined);
    if (id === '0' && names === '' && mount !== undefined) versionTwo = upwards(directoryOf(mount, path), mount.point);
  }
  return { versionOne, versionTwo };
}

/** Joins a membership with the `cgroup.subtree_control` of each version 2 directory (missing: unreadable). */
export function cgroupHost(membership: CgroupMembership, subtreeControl: ReadonlyMap<string, string>): CgroupHost {
  for (const directory of membership.versionTwo) {
    const controllers = (subtreeControl.get(directory) ?? '').split(/\s+/).filter((name) => name !== '');
    const isEnough = ['memory', 'pids'].every((name) => controllers.includes(name) || membership.versionOne.has(name));
    if (controllers.length > 0 && isEnough) {
      return { versionOne: membership.versionOne, versionTwo: { directory, controllers } };
    }
  }
  return { versionOne: membership.versionOne, versionTwo: undefined };
}

function parseMount(line: string): CgroupMount[] {
  const [before, after] = line.split(' - ');
  const [, , , root, point] = before?.split(' ') ?? [];
  const [type, , options] = after?.split(' ') ?? [];
  if (root === undefined || point === undefined) return [];
  if (type === 'cgroup2') return [{ root: unescape(root), point: unescape(point), controllers: undefined }];
  if (type !== 'cgroup') return [];
  return [{ root: unescape(root), point: unescape(point), controllers: options?.split(',') ?? [] }];
}

/** In a container the mount shows a part of the hierarchy, and paths may be told from its top or from that part. */
function directoryOf({ root, point }: CgroupMount, path: string): string {
  const isBelow = root !== '/' && (path === root || path.startsWith(`${root}/`));
  const inside = isBelow ? path.slice(root.length) : path;
  return inside === '/' || inside === '' ? point : `${point}${inside}`;
}

function upwards(directory: string, top: string): readonly string[] {
  const directories = [directory];
  let current = directory;
  while (current.length > top.length && current.startsWith(`${top}/`)) {
    current = current.slice(0, current.lastIndexOf('/'));
    directories.push(current);
  }
  return directories;
}

/** Blanks and backslashes stand as three octal digits in mountinfo. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
