import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cachedLibraries } from '../../src/assemble/ld-so-cache.ts';
import { interpreterLayout } from '../../src/assemble/interpreter-files.ts';
import type { InterpreterLayout } from '../../src/assemble/interpreter-files.ts';
import type { Tree } from '../../src/assemble/tree.ts';
import type { Interpreter } from '../../src/resolve/resolution.ts';
import { treeFromDisk } from './elf-trees.ts';

/** This machine's own interpreter, copied to a folder that holds just what it needs. */
export interface HostInterpreter {
  readonly interpreter: Interpreter;
  readonly tree: Tree;
  readonly layout: InterpreterLayout;
  readonly root: string;
  readonly remove: () => void;
}

const FACTS = `
import sys, sysconfig
print('%d.%d.%d' % sys.version_info[:3], sys.executable, sysconfig.get_path('purelib'), sysconfig.get_path('stdlib'), sep='\\n')
`;

/** Whether this machine has a Python 3 that `copyHostInterpreter` can copy. */
export const HAS_PYTHON: boolean = spawnSync('python3', ['-I', '-c', 'import sys']).status === 0;

export function copyHostInterpreter(): HostInterpreter {
  const [version = '', executable = '', sitePath = '', library = ''] = execFileSync('python3', ['-I', '-c', FACTS], {
    encoding: 'utf8',
  }).split('\n');
  const path = realpathSync(executable);
  const root = mkdtempSync(join(tmpdir(), 'rootcellar-python-'));
  for (const file of [path, ...sharedObjects(path), ...startModules(realpathSync(library))]) copyInto(root, file);
  chmodSync(root, 0o755);
  const interpreter = { version, path, glibc: '2.36', sitePath, prefix: '/usr/local' };
  const disk = treeFromDisk(root);
  const cache = cachedLibraries({ ...disk, architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' });
  return {
    interpreter,
    tree: disk.tree,
    layout: interpreterLayout(disk.tree, interpreter, cache),
    root,
    remove: () => rmSync(root, { recursive: true }),
  };
}

/** The loader and all libraries, by the names by which the loader finds them. */
function sharedObjects(path: string): string[] {
  const lines = execFileSync('ldd', [path], { encoding: 'utf8' });
  return Array.from(lines.matchAll(/(\/\S+) \(0x/g), (match) => match[1] ?? '');
}

function startModules(library: string): string[] {
  const encodings = readdirSync(join(library, 'encodings')).map((name) => `encodings/${name}`);
  const names = ['_collections_abc', '_weakrefset', 'abc', 'codecs', 'genericpath', 'io', 'os', 'posixpath', 'stat'];
  return [...encodings, ...names.map((name) => `${name}.py`)]
    .filter((name) => name.endsWith('.py'))
    .map((name) => join(library, name));
}

/** Links become files: the copy needs no more than that. */
function copyInto(root: string, file: string): void {
  if (!existsSync(file)) return;
  mkdirSync(join(root, dirname(file)), { recursive: true });
  copyFileSync(file, join(root, file));
}
