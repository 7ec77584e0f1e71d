/** The architectures that images are built for, by their Debian and OCI name. */
export type Architecture = 'amd64' | 'arm64';

export const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

/** What each world calls an architecture. */
export interface ArchitectureFacts {
  /** Key in a lockfile, and `platform` in OCI. */
  readonly platform: `linux/${Architecture}`;
  /** As in `/usr/lib/x86_64-linux-gnu`. */
  readonly multiarch: string;
  /** As in wheel tags, `uname -m` and uv's `--python-platform`. */
  readonly machine: string;
  /** `e_machine` of its ELF files; source: the System V ABI's registry of machine numbers. */
  readonly elfMachine: number;
  /** The path that the ABI fixes for the dynamic loader (`PT_INTERP`). */
  readonly loader: string;
}

export const ARCHITECTURE_FACTS: Readonly<Record<Architecture, ArchitectureFacts>> = {
  amd64: {
    platform: 'linux/amd64',
    multiarch: 'x86_64-linux-gnu',
    machine: 'x86_64',
    elfMachine: 62,
    loader: '/lib64/ld-linux-x86-64.so.2',
  },
  arm64: {
    platform: 'linux/arm64',
    multiarch: 'aarch64-linux-gnu',
    machine: 'aarch64',
    elfMachine: 183,
    loader: '/lib/ld-linux-aarch64.so.1',
  },
};

const ALIASES: ReadonlyMap<string, Architecture> = new Map([
  ['amd64', 'amd64'],
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['x64', 'amd64'],
  ['linux/amd64', 'amd64'],
  ['arm64', 'arm64'],
  ['aarch64', 'arm64'],
  ['arm64/v8', 'arm64'],
  ['linux/arm64', 'arm64'],
  ['linux/arm64/v8', 'arm64'],
]);

/** The architecture that `name` means in Debian's, OCI's, Node's or the kernel's words. */
export function parseArchitecture(name: string): Architecture | undefined {
  return ALIASES.get(name.toLowerCase());
}
