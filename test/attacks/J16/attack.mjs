process.on('uncaughtException', () => setImmediate(fail));
process.on('SIGTERM', () => undefined);
process.on('SIGXCPU', () => undefined);
function fail() {
  throw new Error('again');
}
fail();
