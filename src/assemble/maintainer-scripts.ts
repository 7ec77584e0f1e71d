/**
 * Packages whose maintainer scripts are known, and what stands in for them here. A script of any other package is
 * named in the build's output. Rows of packages in the closure of recipes/python were written by reading the scripts of Debian 13.
 */
const REPLACED: ReadonlyMap<string, string> = new Map([
  ['base-files', 'the folders and links that every image gets'],
  ['base-passwd', 'its master files become /etc/passwd and /etc/group'],
  ['bash', 'alternatives for manual pages only'],
  ['ca-certificates', 'the bundle in /etc/ssl/certs is written'],
  ['coreutils', 'nothing on a new system'],
  ['dash', 'the package brings /usr/bin/sh itself'],
  ['debconf', 'there are no questions'],
  ['debianutils', 'alternatives: which'],
  ['dpkg', 'the native architecture is written; no timers'],
  ['gawk', 'alternatives: awk'],
  ['libblas3', 'alternatives: libblas.so.3'],
  ['libc-bin', '/etc/ld.so.cache and /etc/nsswitch.conf are written'],
  ['libc6', '/etc/ld.so.cache is written; no services to restart'],
  ['liblapack3', 'alternatives: liblapack.so.3'],
  ['libopenblas0-pthread', 'alternatives: libblas.so.3, liblapack.so.3'],
  ['libpython3.11-minimal', 'bytecode is compiled'],
  ['libpython3.13-minimal', 'bytecode is compiled'],
  ['libreadline8t64', 'no file of an older release to divert'],
  ['libselinux1', 'nothing without systemd'],
  ['mawk', 'alternatives: awk'],
  ['netbase', '/etc/hosts and /etc/networks are written'],
  ['node-undici', 'no folder of an older release to replace'],
  ['nodejs', 'its other name, js, is left out'],
  ['openssl', 'the package brings /usr/lib/ssl itself'],
  ['python3', 'bytecode is compiled'],
  ['python3-minimal', 'bytecode is compiled'],
  ['python3.11', 'bytecode is compiled'],
  ['python3.11-minimal', 'bytecode is compiled; the folder for local packages is made'],
  ['python3.13', 'bytecode is compiled'],
  ['python3.13-minimal', 'bytecode is compiled; the folder for local packages is made'],
  ['readline-common', '/etc/inputrc is copied'],
  ['tar', 'alternatives: rmt'],
  ['tzdata', '/etc/localtime leads to UTC'],
]);

/** Those that would act when a package is installed; the others act on removal or ask questions. */
const INSTALLING: ReadonlySet<string> = new Set(['postinst', 'preinst', 'triggers']);

/** The scripts of `packageName` that would have acted on installation and that nothing stands in for. */
export function unreplacedScripts(packageName: string, scripts: readonly string[]): readonly string[] {
  return REPLACED.has(packageName) ? [] : scripts.filter((script) => INSTALLING.has(script));
}

/** Lines that debhelper's snippets for Python packages and libraries consist of. */
const TRIVIAL: readonly RegExp[] = [
  /^#/,
  /^set -e$/,
  /^exit 0$/,
  /^:$/,
  /^fi$/,
  /^if (?:command -v|which) py(?:py)?3(?:compile|clean)\b[^;]*; then$/,
  /^py(?:py)?3(?:compile|clean) -p [\w.+-]+(?::[a-z0-9]+)?(?: \/[\w./+-]+)?(?: -V [\d.-]+)?(?: *\|\| *true)?$/,
  /^activate(?:-noawait)? ldconfig$/,
];

/** Whether a script, or a list of triggers, does only what is done here for every package anyway. */
export function isTrivialScript(text: string): boolean {
  return text.split('\n').every((raw) => {
    const line = raw.trim();
    return line === '' || TRIVIAL.some((pattern) => pattern.test(line));
  });
}
