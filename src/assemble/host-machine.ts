import type { Digest } from '../base/digest.ts';
import type { SourcePlace } from '../base/rootcellar-error.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { HostFilesRequest, HostMachine } from '../resolve/host-machine.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import type { HostContent } from '../resolve/resolution.ts';
import { closeOverLibraries } from './host-closure.ts';
import { HostCollector } from './host-collector.ts';
import type { FileStamp, HostDisk } from './host-disk.ts';
import { hostDistributions, ownedPaths } from './host-distributions.ts';
import { expandHostPattern, isHostPattern } from './host-glob.ts';
import { inspectInterpreter } from './host-interpreter.ts';
import { addedFolders } from './host-path-files.ts';
import { hostLibraries } from './host-libraries.ts';
import { followHostPath } from './host-way.ts';

/** What `auto` takes besides what the interpreter imports: the certificates that it trusts, time zones, a language in UTF-8. */
const SYSTEM_DATA: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/usr/lib/ssl/openssl.cnf',
  '/usr/lib/locale/C.utf8',
  '/usr/share/zoneinfo',
];

/** Says which system the libraries are of. */
const OS_RELEASE = '/etc/os-release';

/** Called for each file that was read, so that it need not be read again as long as its inode stays the same. */
export type Remember = (path: string, file: { readonly digest: Digest; readonly stamp: FileStamp }) => void;

/** The machine behind `disk`. */
export function hostMachine(disk: HostDisk, remember: Remember): HostMachine {
  return {
    inspect: (request) => inspectInterpreter(disk, request),
    collect: async (request) => {
      await Promise.resolve();
      return collect(disk, request, remember);
    },
  };
}

function collect(disk: HostDisk, request: HostFilesRequest, remember: Remember): HostContent {
  const { base, architecture, python, wheels, sonames = [], warn } = request;
  const libraries = hostLibraries(disk, architecture);
  const rules = { stdlib: standardLibrary(python.interpreter), loaderFolders: libraries.folders };
  const collector = new HostCollector({ disk, tree: libraries.tree, rules, warn });
  for (const path of [...python.files, OS_RELEASE]) addPresent(disk, collector, path);
  for (const { path, place } of base.libraries) {
    if (path === 'auto') for (const own of [...python.folders, ...SYSTEM_DATA]) addPresent(disk, collector, own);
    else addNamed(path[architecture], { disk, collector, place, warn });
  }
  checkStdlib(collector, rules.stdlib, request);
  leaveOutReplaced(disk, collector, request);
  warnOfAdded(disk, collector, warn);
  const closure = {
    collector,
    libraries,
    architecture,
    stdlib: rules.stdlib,
    hasWheels: wheels.length > 0,
    sonames,
    warn,
  };
  closeOverLibraries(closure);
  for (const [path, facts] of libraries.tree.read()) remember(`/${path}`, facts);
  return collector.content();
}

function addPresent(disk: HostDisk, collector: HostCollector, path: string): void {
  const { kind } = followHostPath(disk, path).end;
  if (kind === 'file' || kind === 'folder') collector.add(path);
}

interface NamedLibrary {
  readonly disk: HostDisk;
  readonly collector: HostCollector;
  readonly place: SourcePlace;
  readonly warn: (message: string) => void;
}

/** What is not there, or matches nothing, is said. Undefined: nothing for this architecture. */
function addNamed(text: string | undefined, { disk, collector, place, warn }: NamedLibrary): void {
  if (text === undefined) return;
  if (!isHostPattern(text)) {
    collector.add(text, place);
    return;
  }
  const paths = expandHostPattern(disk, text);
  if (paths.length === 0) warn(`\`${text}\`: matches nothing on this machine`);
  for (const path of paths) collector.add(path, place);
}

function checkStdlib(collector: HostCollector, stdlib: string, { base, python, architecture }: HostFilesRequest): void {
  const hasArchive = python.files.some((path) => path.endsWith('.zip') && collector.has(path));
  if (collector.has(`${stdlib}/os.py`) || hasArchive) return;
  const program = base.pythonPath[architecture] ?? python.program;
  throw new RootcellarError(
    'E_HOST_FILE',
    `base.host.python_lib_path: names nothing of \`${stdlib}\`, the standard library of \`${program}\``,
    { hint: `add \`${stdlib}\` to it, or write \`python_lib_path: auto\``, place: base.libraries[0]?.place },
  );
}

/** What was never named is not taken: an editable install may lie in anybody's home. */
function warnOfAdded(disk: HostDisk, collector: HostCollector, warn: (message: string) => void): void {
  for (const { file, folder } of addedFolders(disk, collector.files.keys())) {
    if (!collector.has(file) || collector.isTaken(folder)) continue;
    warn(
      `\`${folder}\`: left out, though \`${file}\` adds it to what can be imported; name it in python_lib_path if it is wanted`,
    );
  }
}

/** Two versions of one distribution in an image would mix. */
function leaveOutReplaced(disk: HostDisk, collector: HostCollector, { wheels, warn }: HostFilesRequest): void {
  const paths = new Set(collector.files.keys());
  for (const distribution of hostDistributions(paths)) {
    if (!wheels.includes(distribution.name)) continue;
    for (const path of ownedPaths(disk, distribution, paths)) if (collector.has(path)) collector.leaveOut(path);
    warn(
      `\`${distribution.metadata}\`: left out with its files, as \`${distribution.name}\` is among the requirements`,
    );
  }
}
