// Loaded before the command (`node --import`): lets it take this machine for one of the other architecture. What it starts
// of that architecture is run by qemu, as such a machine would run it by itself.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const [arch, machine, loader] =
  process.arch === 'x64' ? ['arm64', 'aarch64', 'ld-linux-aarch64'] : ['x64', 'x86_64', 'ld-linux-x86-64'];
const { spawn } = childProcess;

/**
 * @param {string} program
 * @param {readonly string[]} words
 * @param {import('node:child_process').SpawnOptions} options
 */
function spawnThere(program, words, options) {
  const at = words.findIndex((word) => word.startsWith('/proc/self/cwd/') && word.includes(`/${loader}.so`));
  return spawn(program, at < 0 ? words : [...words.slice(0, at), `qemu-${machine}`, ...words.slice(at)], options);
}

Object.defineProperty(process, 'arch', { value: arch });
Object.defineProperty(childProcess, 'spawn', { value: spawnThere });
syncBuiltinESMExports();
