import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pid } from 'node:process';

/** An interpreter of this machine, as it says itself. */
export interface HostPythonFacts {
  readonly program: string;
  /** Such as `3.11`. */
  readonly minor: string;
  readonly stdlib: string;
}

const QUESTION =
  "import os, sys, sysconfig; print(sys.executable, '%d.%d' % sys.version_info[:2], os.__file__, sep='\\n')";

/** Debian's own where there is one, else the first on PATH. */
export function hostPython(): HostPythonFacts {
  const command = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  const [executable = '', minor = '', os = ''] = execFileSync(command, ['-I', '-c', QUESTION], {
    encoding: 'utf8',
  }).split('\n');
  return { program: realpathSync(executable), minor, stdlib: realpathSync(join(os, '..')) };
}

/** A folder that an image may have: not below /tmp, which cells cover. */
export interface HostFolder extends Disposable {
  readonly folder: string;
  path(...names: readonly string[]): string;
}

/** Always the same name, so that what is compiled for one test of a session is there for the next. */
export function hostFolder(): HostFolder {
  const folder = `/var/tmp/rootcellar-host-${pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return {
    folder,
    path: (...names) => join(folder, ...names),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const NEVER =
  /\/(?:__pycache__|site-packages|dist-packages|test|tests|idlelib|ensurepip|lib2to3|config-[^/]*|pydoc_data)$/;
/** What the tests' own programs do not import. */
const RARE =
  /\/(?:asyncio|multiprocessing|unittest|xml|xmlrpc|distutils|http|html|concurrent|curses|dbm|wsgiref|sqlite3|logging|tomllib|venv|turtledemo|tkinter|encodings\/(?!__init__|aliases|utf_8\.|latin_1|ascii|cp437|idna).*)$/;

export interface PythonCopy {
  /** `PREFIX/bin/python3`. */
  readonly program: string;
  /** A folder that it imports packages from. */
  readonly site: string;
  /** Where its standard library has extension modules. */
  readonly modules: string;
}

/**
 * An interpreter with its standard library in a folder of its own, as `make install --prefix` or conda lays it out: `bin`
 * with the usual links, `lib/python3.x`. Made of the real one of this machine; without rare modules unless it is whole.
 */
export function copyPython(prefix: string, { whole = false } = {}): PythonCopy {
  const { program, minor, stdlib } = hostPython();
  const library = join(prefix, `lib/python${minor}`);
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  cpSync(program, join(prefix, `bin/python${minor}`));
  symlinkSync(`python${minor}`, join(prefix, 'bin/python3'));
  symlinkSync('python3', join(prefix, 'bin/python'));
  const filter = (path: string): boolean => !NEVER.test(path) && (whole || !RARE.test(path));
  cpSync(stdlib, library, { recursive: true, filter });
  const copy = join(prefix, 'bin/python3');
  const question = 'import site; print(site.getsitepackages()[-1])';
  const site = execFileSync(copy, ['-I', '-B', '-c', question], { encoding: 'utf8' }).trim();
  mkdirSync(site, { recursive: true });
  return { program: copy, site, modules: join(library, 'lib-dynload') };
}

/** A library with one function that gives a number, and a module folder's library that needs it and adds one. */
export function buildLibraries(options: {
  readonly inner: string;
  readonly outer: string;
  readonly number: number;
  readonly flags?: readonly string[];
}): void {
  const { inner, outer, number, flags = [] } = options;
  mkdirSync(join(outer, '..'), { recursive: true });
  const soname = 'libinner.so.1';
  writeFileSync(`${outer}.c`, 'int inner(void); int outer(void) { return inner() + 1; }\n');
  writeFileSync(`${inner}.c`, `int inner(void) { return ${number}; }\n`);
  execFileSync('gcc', ['-shared', '-fPIC', `-Wl,-soname,${soname}`, '-o', inner, `${inner}.c`]);
  if (basename(inner) !== soname) symlinkSync(basename(inner), join(inner, '..', soname));
  execFileSync('gcc', ['-shared', '-fPIC', '-o', outer, `${outer}.c`, inner, ...flags]);
  rmSync(`${outer}.c`);
  rmSync(`${inner}.c`);
}
