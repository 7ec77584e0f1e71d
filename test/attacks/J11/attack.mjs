const { log } = console;
for (const proto of [Object.prototype, Array.prototype, Function.prototype, Promise.prototype, Map.prototype])
  for (const name of ['status', 'exit_code', 'then2', 'denied', 'toJSON', 'get', 'set', 'env', 'shell', 'fd', 'flags'])
    Object.defineProperty(proto, name, { configurable: true, get: () => undefined, set: () => undefined });
Array.prototype[Symbol.iterator] = function* () {};
globalThis.parseInt = globalThis.Promise = globalThis.Buffer = globalThis.process = undefined;
JSON.stringify = () => '{"status":"ok"}';
log('polluted');
throw new Error('the end');
