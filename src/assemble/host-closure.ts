import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import type { HostCollector } from './host-collector.ts';
import type { HostLibraries, HostLibrary } from './host-libraries.ts';
import { asLoadable, type LoadableFile } from './library-search.ts';

/**
 * Parts of the C and C++ libraries that nothing names as needed: loaded by the C library when threads end and when names
 * are looked up, and what older programs expect apart. Source: glibc, `pthread_cancel` and `nss`; PEP 600 for the rest.
 */
const RUNTIME: readonly string[] = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libnss_dns.so.2',
  'libnss_files.so.2',
  'libpthread.so.0',
  'libresolv.so.2',
  'librt.so.1',
  'libutil.so.1',
];

/** What wheels may expect of every system besides, as far as it needs no screen. Source: auditwheel's manylinux policies. */
const FOR_WHEELS: readonly string[] = ['libatomic.so.1', 'libexpat.so.1', 'libstdc++.so.6', 'libz.so.1'];

export interface ClosureRequest {
  readonly collector: HostCollector;
  readonly libraries: HostLibraries;
  readonly architecture: Architecture;
  /** Folder of the standard library. */
  readonly stdlib: string;
  readonly hasWheels: boolean;
  /** Wanted by name. */
  readonly sonames: readonly string[];
  readonly warn: (message: string) => void;
}

interface Loaded {
  readonly file: LoadableFile;
  /** What has it loaded, nearest first. */
  readonly loaders: readonly LoadableFile[];
}

const MOST_LOADERS = 16;

/**
 * Adds to what was collected all libraries that its ELF files need, as this machine's loader finds them. What is not found
 * is not said here: the check of the image does. But a module of the standard library that this machine cannot load either
 * is left out, and that is said. E_LIBRARY_MISSING: one of `sonames` is not there.
 */
export function closeOverLibraries(request: ClosureRequest): void {
  const { collector, libraries, architecture, hasWheels, sonames } = request;
  const queue = collectedFiles(request).filter((loaded) => !isUnloadable(loaded, request));
  for (const name of [...RUNTIME, ...(hasWheels ? FOR_WHEELS : []), ...sonames]) {
    const found = libraries.findByName(name);
    if (found !== undefined) queue.push(...added(found, [], request));
    else if (sonames.includes(name)) throw missingLibrary(name, architecture);
  }
  for (const { file, loaders } of queue) {
    const { needed, interpreter } = file.elf;
    const chain = [file, ...loaders].slice(0, MOST_LOADERS);
    for (const library of interpreter === undefined ? needed : [interpreter, ...needed]) {
      const found = libraries.find(file, library, loaders);
      if (found !== undefined) queue.push(...added(found, chain, request));
    }
  }
  for (const path of collector.files.keys()) {
    for (const conf of libraries.configurationFor(path)) collector.add(conf);
  }
}

function missingLibrary(library: string, architecture: Architecture): RootcellarError {
  const message = `\`${library}\`: is not on this machine, for ${architecture}`;
  return new RootcellarError('E_LIBRARY_MISSING', message, { hint: `apt-file search ${shellWord(`/${library}`)}` });
}

function collectedFiles({ collector, libraries, architecture }: ClosureRequest): Loaded[] {
  return [...collector.files.values()].flatMap((file): Loaded[] => {
    if (file.kind !== 'file') return [];
    const entry = libraries.tree.get(file.path.slice(1));
    const loadable = entry?.kind === 'file' ? asLoadable(entry, architecture) : undefined;
    return loadable?.elf.dynamic === true ? [{ file: loadable, loaders: [] }] : [];
  });
}

/** Adds a library that was found, and gives it back where it is new. */
function added({ file, foundAt }: HostLibrary, loaders: readonly LoadableFile[], request: ClosureRequest): Loaded[] {
  const { collector } = request;
  const isNew = !collector.has(`/${file.path}`);
  collector.add(foundAt);
  return isNew ? [{ file, loaders }] : [];
}

/** Only for modules of the standard library: whatever else is broken, its owner should know. */
function isUnloadable({ file }: Loaded, { collector, libraries, stdlib, warn }: ClosureRequest): boolean {
  const path = `/${file.path}`;
  if (!path.startsWith(`${stdlib}/lib-dynload/`)) return false;
  const missing = file.elf.needed.find((library) => libraries.find(file, library, []) === undefined);
  if (missing === undefined) return false;
  collector.leaveOut(path);
  warn(`\`${path}\`: left out, as it needs \`${missing}\`, which this machine does not have`);
  return true;
}
