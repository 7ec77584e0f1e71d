/**
 * Ends the process as soon as its output is written: to take apart the heap of a build takes longer than to start one.
 * Whoever calls it has awaited everything. A fault of the output may have set an exit status, which then counts.
 */
export async function endProcess(status: number): Promise<never> {
  await written(process.stdout);
  await written(process.stderr);
  // oxlint-disable-next-line unicorn/no-process-exit -- the last thing that a command does
  process.exit(Math.max(status, Number(process.exitCode ?? 0)));
}

/** Also when it cannot be written: then the listener of its errors has been told. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    // Even nothing cannot be written to a full device: so only where something waits.
    if (stream.writableLength === 0) setImmediate(resolve);
    else stream.write('', () => setImmediate(resolve));
  });
}
