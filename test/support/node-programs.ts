import type { WarmProgram } from './python-programs.ts';

const SECRET = 'a=b \u{1f955}\u0001"\'\\ \n';

/** For Node.js, by what they try. */
export const NODE_PROGRAMS: Readonly<Record<string, WarmProgram>> = {
  nothing: { code: '' },
  output: { code: 'console.log("out"); console.error("err"); process.stdout.write("no newline")' },
  'big output': { code: 'for (let n = 0; n < 20000; n++) console.log(n, "x".repeat(40))' },
  'an exit code': { code: 'process.exit(7)' },
  'process.exitCode': { code: 'process.exitCode = 3; console.log(1)' },
  'a throw': { code: 'function f() { throw new TypeError("oh") }\nconsole.log("before")\nf()' },
  'a throw of what is no error': { code: 'throw { a: 1 }' },
  'a cause': { code: 'throw new Error("outer", { cause: new Error("inner") })' },
  'a rejection': { code: 'Promise.reject(new Error("rejected"))' },
  'a rejection of undefined': { code: 'Promise.reject()' },
  'a SyntaxError': { code: 'let x = 1;\nlet = = 2;' },
  'a module that is not there': { code: 'require("./nothing")' },
  'an ES module': {
    file: 'main.mjs',
    code: `
import fs from 'node:fs';
console.log(import.meta.url, typeof require, this, fs.readdirSync('/run/program'), process.argv.length);
await new Promise((resolve) => setTimeout(resolve, 5));
export const x = 1;
console.log('top');`,
  },
  'a throw in an ES module': { file: 'main.mjs', code: 'await null;\nthrow new Error("top")' },
  'a SyntaxError in an ES module': { file: 'main.mjs', code: 'import { nothing } from "node:fs";' },
  'an await that never ends': { file: 'main.mjs', code: 'await new Promise(() => undefined)' },
  'a CommonJS module': {
    file: 'main.cjs',
    code: `
console.log(require.main === module, module.id, module.filename, module.parent, module.children.length, module.loaded);
console.log(__filename, __dirname, Object.keys(require.cache), require('node:module').builtinModules.length > 50, process.mainModule === module, module.paths, this === exports);`,
  },
  'arguments and variables': {
    code: `
console.log(process.argv, process.execArgv, process.argv0, process.execPath, JSON.stringify(process.env), process.cwd());
console.log(Object.keys(process.env).length, process.title, process.pid, process.versions.node, process.release.name);`,
    request: { arguments: ['', '--require', SECRET, '--'], environment: { ODD: SECRET, EMPTY: '' } },
  },
  'a time zone': {
    code: 'console.log(new Date(0).toString(), Intl.DateTimeFormat().resolvedOptions().timeZone)',
    request: { environment: { TZ: 'Asia/Tokyo' } },
  },
  'standard input': {
    code: `
let text = '';
process.stdin.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => console.log(JSON.stringify(text)));`,
    request: { input: Buffer.from('a\nä\n') },
  },
  'standard input at once': {
    code: 'console.log(JSON.stringify(require("node:fs").readFileSync(0, "utf8")))',
    request: { input: Buffer.from('a\nä\n') },
  },
  'no standard input': { code: 'process.stdin.on("data", () => 0).on("end", () => console.log("end"))' },
  'the order of events': {
    code: `
setTimeout(() => console.log('timeout'), 5);
Promise.resolve().then(() => console.log('promise'));
process.nextTick(() => console.log('tick'));
queueMicrotask(() => console.log('microtask'));
process.on('beforeExit', () => console.log('before exit'));
process.on('exit', (code) => console.log('exit', code));
console.log('main');`,
  },
  'a handler of exceptions': {
    code: 'process.on("uncaughtException", (e, from) => { console.log(e.message, from); process.exitCode = 9; })\nthrow new Error("oh")',
  },
  'worker threads': {
    code: `
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
if (isMainThread) {
  const worker = new Worker(__filename, { argv: ['x'] });
  worker.on('message', (said) => console.log('said', said)).on('exit', (code) => console.log('exit', code));
} else {
  parentPort.postMessage([process.argv.slice(1), require.main === module, process.execArgv]);
}`,
  },
  'a signal to itself': { code: 'console.log("x"); process.kill(process.pid, "SIGTERM"); setTimeout(() => 0, 60000)' },
  abort: { code: 'process.abort()' },
  'denied calls': {
    code: `
const { spawn } = require('node:child_process');
spawn('/bin/true').on('error', (error) => console.log(error.code));`,
  },
  'a traceback of its own': { code: 'console.log(new Error("here").stack.split("\\n").slice(0, 2).join("\\n"))' },
  'the whole stack': { code: 'Error.stackTraceLimit = 100;\nconsole.log(new Error("here").stack)' },
  'global names': {
    code: 'console.log(Object.getOwnPropertyNames(globalThis).filter((n) => !/^[A-Z]/.test(n)).join())',
  },
  'the time limit': { code: 'console.log("begun"); setInterval(() => 0, 1000)', request: { limits: { wallMs: 5000 } } },
  strictness: { code: 'x = 1; console.log(x, (function () { return this === globalThis })())' },
};
