// Listens on loopback, runs one program in a cell with a network, and prints the report: serve-and-run.mjs COMMAND TAR MODE
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import process from 'node:process';

const [command = '', tar = '', mode = ''] = process.argv.slice(2);

/** @param {string} text */
const server = (text) => createServer((_, answer) => void answer.end(text));
const [wanted, other] = [server('reached'), server('must not be reached')];

/** @param {import('node:http').Server} one @returns {Promise<number>} */
const listen = (one) =>
  new Promise((resolve) => {
    one.listen(0, '127.0.0.1', () => {
      const address = one.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
const [port, closed] = [await listen(wanted), await listen(other)];

const code = `
import os, socket, urllib.request
def attempt(action):
    try:
        return action()
    except OSError as error:
        return type(error).__name__ + " " + str(error.errno)
print(attempt(lambda: urllib.request.urlopen("http://127.0.0.1:${port}/", timeout=20).read().decode()))
print(attempt(lambda: urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:${closed}/", timeout=20).read().decode()))
print(attempt(lambda: socket.getaddrinfo("localhost", 80)[0][4][0]))
`;
const network = mode === 'proxy' ? ['--allow-host', `127.0.0.1:${port}`] : ['--network', mode];
const words = [command, 'run', tar, '--minimum-tier', 'D', ...network, '--json', '-c', code];
const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
child.stdout.pipe(process.stdout);
child.once('close', (status) => {
  wanted.close();
  other.close();
  process.exitCode = status ?? 1;
});
