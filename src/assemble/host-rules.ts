import { basename, dirname } from 'node:path/posix';
import { ARCHITECTURES, ARCHITECTURE_FACTS } from '../base/architecture.ts';

/** What a look into a folder goes by. */
export interface HostRules {
  /** Folder of the standard library. */
  readonly stdlib: string;
  /** Folders that the loader searches, by where they really lie. */
  readonly loaderFolders: ReadonlySet<string>;
}

/** Paths that tell one machine from another, or are its secrets; each with all that lies below. */
const OWN: ReadonlySet<string> = new Set([
  '/boot',
  '/dev',
  '/etc/adjtime',
  '/etc/fstab',
  '/etc/group',
  '/etc/group-',
  '/etc/gshadow',
  '/etc/gshadow-',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/krb5.keytab',
  '/etc/ld.so.cache',
  '/etc/ld.so.preload',
  '/etc/machine-id',
  '/etc/mtab',
  '/etc/passwd',
  '/etc/passwd-',
  '/etc/resolv.conf',
  '/etc/shadow',
  '/etc/shadow-',
  '/etc/ssh',
  '/etc/ssl/private',
  '/etc/subgid',
  '/etc/subuid',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/proc',
  '/run',
  '/sys',
  '/var/lib/dbus',
  '/var/lib/systemd',
  '/var/run',
]);

/** Names of secrets and of memories of people, wherever they lie. */
const SECRET: RegExp =
  /^(?:\.ssh|\.gnupg|\.aws|\.azure|\.kube|\.docker|\.netrc|\.pypirc|\.npmrc|\.pgpass|\.git-credentials|\.(?:bash|python|node_repl|psql)_history|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|ssh_host_.*_key)$/;

/** Whether a thing belongs to this machine alone, so that no image may have it: decided by the path alone. */
export function isHostSpecific(path: string): boolean {
  for (let one = path; one !== '/'; one = dirname(one)) {
    if (OWN.has(one) || SECRET.test(basename(one))) return true;
  }
  return false;
}

/** Whole systems: whoever names one of these means something in it. */
const WHOLE: ReadonlySet<string> = new Set([
  '/',
  '/etc',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/srv',
  '/tmp',
  '/usr',
  '/usr/bin',
  '/usr/lib',
  '/usr/local',
  '/usr/sbin',
  '/usr/share',
  '/var',
  '/var/lib',
]);

export function isWholeSystem(folder: string): boolean {
  return WHOLE.has(folder);
}

/** Where the loaders of all architectures look without being told, and Debian's and Fedora's usual additions. */
export const USUAL_LOADER_FOLDERS: readonly string[] = [
  ...ARCHITECTURES.flatMap((architecture) => {
    const { multiarch } = ARCHITECTURE_FACTS[architecture];
    return [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, `/usr/local/lib/${multiarch}`];
  }),
  '/lib',
  '/usr/lib',
  '/lib64',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/local/lib64',
];

/**
 * Parts of a standard library that a sandboxed program has no use for: tests, what needs a screen, what builds programs,
 * and pip's own wheels. Each can be taken by naming it.
 */
const STDLIB_REST =
  /^(?:test|idlelib|turtledemo|tkinter|ensurepip|turtle\.py|lib2to3\/tests|config-[^/]+|lib-dynload\/(?:_tkinter|_test[a-z]*|_xxtestfuzz|xxlimited(?:_35)?|_ctypes_test)\.[^/]+|(?:.+\/)?tests?)$/;

/** A link to the zone of this machine among those of the world. */
const LOCAL_ZONE = '/usr/share/zoneinfo/localtime';

/**
 * Whether a look into a folder passes over what it meets at `path`. Bytecode is made anew; a folder for packages that lies
 * in the standard library is taken when it is meant itself, and so is a folder that the loader searches.
 */
export function isPassedOver(path: string, hasSource: boolean, { stdlib, loaderFolders }: HostRules): boolean {
  const name = basename(path);
  if (name === '__pycache__' || (name.endsWith('.pyc') && hasSource)) return true;
  if (loaderFolders.has(path) || path === LOCAL_ZONE) return true;
  if (!path.startsWith(`${stdlib}/`)) return false;
  const inside = path.slice(stdlib.length + 1);
  return (
    /^(?:site|dist)-packages$/.test(inside) || (!/^(?:site|dist)-packages\//.test(inside) && STDLIB_REST.test(inside))
  );
}
