import { ARCHITECTURE_FACTS, type Architecture } from '../base/architecture.ts';
import type { ImagePath } from '../base/image-path.ts';
import { ALTERNATIVES } from '../resolve/debian-alternatives.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import type { Tree } from './tree.ts';

/** Something that is put into an image where no package and no recipe has brought anything. */
export type GeneratedEntry =
  | { readonly kind: 'directory'; readonly path: ImagePath; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: ImagePath; readonly target: string }
  | { readonly kind: 'file'; readonly path: ImagePath; readonly mode: number; readonly content: Uint8Array | string }
  /** The same content as the file at `from`. */
  | { readonly kind: 'copy'; readonly path: ImagePath; readonly from: ImagePath };

/** Which system it is. */
export interface SystemFacts {
  readonly architecture: Architecture;
  /** Codename, such as `trixie`; undefined for the system of a host, which says itself what it is. */
  readonly suite: string | undefined;
  readonly interpreter: Interpreter | undefined;
}

/** Folders that every image has. Source: the Filesystem Hierarchy Standard 3.0; `base-files` of Debian. */
const FOLDERS: readonly (readonly [ImagePath, number])[] = [
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['run', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr/bin', 0o755],
  ['usr/lib', 0o755],
  ['usr/local/bin', 0o755],
  ['usr/sbin', 0o755],
  ['var/cache', 0o755],
  ['var/lib', 0o755],
  ['var/log', 0o755],
  ['var/tmp', 0o1777],
];

/** Folders whose mode no package can change. */
export const SHARED_FOLDERS: readonly ImagePath[] = ['tmp', 'var/tmp'];

/** Accounts for where `base-passwd` is not part of the image. Runs have uids of their own, which have no name. */
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const GROUP = 'root:x:0:\nnogroup:x:65534:\n';

const HOSTS = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
const NETWORKS = 'default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n';
const NSSWITCH =
  'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n';

/** Numbers of Debian's releases. Scanners look for them. */
const RELEASES: ReadonlyMap<string, string> = new Map([
  ['bullseye', '11'],
  ['bookworm', '12'],
  ['trixie', '13'],
  ['forky', '14'],
]);

/**
 * What every system has besides its packages, and what maintainer scripts would have made for the packages in `tree`.
 * Of two entries with one path the first counts. Contents that have to be read are not among them.
 */
export function baseFiles(facts: SystemFacts, tree: Tree): readonly GeneratedEntry[] {
  return [
    ...FOLDERS.map(([path, mode]): GeneratedEntry => ({ kind: 'directory', path, mode })),
    ...mergedFolders(facts.architecture),
    ...accounts(tree),
    { kind: 'file', path: 'etc/hostname', mode: 0o644, content: 'localhost\n' },
    { kind: 'file', path: 'etc/hosts', mode: 0o644, content: HOSTS },
    { kind: 'file', path: 'etc/machine-id', mode: 0o444, content: '' },
    { kind: 'file', path: 'etc/networks', mode: 0o644, content: NETWORKS },
    { kind: 'file', path: 'etc/nsswitch.conf', mode: 0o644, content: NSSWITCH },
    { kind: 'symlink', path: 'etc/os-release', target: '../usr/lib/os-release' },
    { kind: 'file', path: 'usr/lib/os-release', mode: 0o644, content: osRelease(facts.suite) },
    ...(facts.interpreter === undefined ? [] : [siteFolder(facts.interpreter)]),
    ...afterScripts(facts, tree),
  ];
}

function mergedFolders(architecture: Architecture): readonly GeneratedEntry[] {
  const names = architecture === 'amd64' ? ['bin', 'lib', 'lib64', 'sbin'] : ['bin', 'lib', 'sbin'];
  return names.flatMap((name): GeneratedEntry[] => [
    { kind: 'directory', path: `usr/${name}`, mode: 0o755 },
    { kind: 'symlink', path: name, target: `usr/${name}` },
  ]);
}

function accounts(tree: Tree): readonly GeneratedEntry[] {
  const masters = 'usr/share/base-passwd';
  if (tree.has(`${masters}/passwd.master`) && tree.has(`${masters}/group.master`)) {
    return [
      { kind: 'copy', path: 'etc/passwd', from: `${masters}/passwd.master` },
      { kind: 'copy', path: 'etc/group', from: `${masters}/group.master` },
    ];
  }
  return [
    { kind: 'file', path: 'etc/passwd', mode: 0o644, content: PASSWD },
    { kind: 'file', path: 'etc/group', mode: 0o644, content: GROUP },
  ];
}

function osRelease(suite: string | undefined): string {
  if (suite === undefined) return 'PRETTY_NAME="Linux"\nNAME="Linux"\nID=linux\n';
  const number = RELEASES.get(suite);
  const lines = ['PRETTY_NAME="Debian GNU/Linux"', 'NAME="Debian GNU/Linux"', 'ID=debian', `VERSION_CODENAME=${suite}`];
  return [...lines, ...(number === undefined ? [] : [`VERSION_ID="${number}"`])].map((line) => `${line}\n`).join('');
}

/** Python looks for modules only in folders that exist when it starts. */
function siteFolder({ sitePath }: Interpreter): GeneratedEntry {
  return { kind: 'directory', path: sitePath.slice(1), mode: 0o755 };
}

function afterScripts(facts: SystemFacts, tree: Tree): readonly GeneratedEntry[] {
  const entries: GeneratedEntry[] = [];
  if (tree.has('usr/share/zoneinfo/Etc/UTC')) {
    entries.push({ kind: 'symlink', path: 'etc/localtime', target: '/usr/share/zoneinfo/Etc/UTC' });
  }
  if (tree.has('usr/share/readline/inputrc')) {
    entries.push({ kind: 'copy', path: 'etc/inputrc', from: 'usr/share/readline/inputrc' });
  }
  if (tree.has('usr/bin/dpkg')) {
    const content = `${facts.architecture}\n`;
    entries.push({ kind: 'file', path: 'var/lib/dpkg/arch-native', mode: 0o644, content });
  }
  return [...entries, ...alternatives(facts.architecture, tree)];
}

/** Where two packages offer one alternative the table's order decides, which is that of their priorities in Debian. */
function alternatives(architecture: Architecture, tree: Tree): readonly GeneratedEntry[] {
  const { multiarch } = ARCHITECTURE_FACTS[architecture];
  return ALTERNATIVES.flatMap((row): GeneratedEntry[] => {
    const [, link, name, target] = row.map((text) => text.replaceAll('MULTIARCH', multiarch));
    if (link === undefined || name === undefined || target === undefined || !tree.has(target.slice(1))) return [];
    return [
      { kind: 'symlink', path: `etc/alternatives/${name}`, target },
      { kind: 'symlink', path: link, target: `/etc/alternatives/${name}` },
    ];
  });
}
