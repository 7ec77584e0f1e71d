// Keeps the schedule of a recipe, as `rootcellar refresh --every` does, by a clock that waits for nothing: RECIPE CYCLES.
// After each hundredth cycle it writes a line of JSON: what the process has in memory, and how many files it has open.
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { keepHeapLean } from '../../dist/lean-heap.js';
import { keepRefreshing } from '../../dist/refresh/keep-refreshing.js';
import { lastAttempt } from '../../dist/refresh/last-attempt.js';
import { refreshImage } from '../../dist/refresh/refresh-image.js';
import { withPipeline } from '../../dist/cli/pipeline.js';
import { watchRecipe } from '../../dist/cli/watched-recipe.js';

const [path = '', cycles = ''] = process.argv.slice(2);
keepHeapLean();
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const stop = new AbortController();
const reporter = {
  progress: () => undefined,
  result: () => undefined,
  close: () => Promise.resolve(),
  failure: () => undefined,
};
const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
/** @type {import('../../src/cli/command-context.ts').CommandContext} */
const context = { reporter, environment: process.env, signal: stop.signal, hostArchitecture, uid: 0 };
const watched = watchRecipe(path);
let done = 0;
let ahead = 0;

await keepRefreshing({
  schedule: async () => ({ kind: 'every', everyMs: 60_000, jitterMs: 6000 }),
  lastAttempt: async () => {
    const { name } = await watched.read();
    return withPipeline(context, ({ store }) => lastAttempt(store, name, hostArchitecture));
  },
  refresh: async () => {
    const recipe = await watched.read();
    const { kind } = await withPipeline(context, (pipeline) =>
      refreshImage({ recipe, upgrade: 'all', isCheck: false }, pipeline),
    );
    if (kind !== 'current') throw new Error(`cycle ${done} was ${kind}`);
    done += 1;
    if (done % 100 === 0 || done === 1) {
      const files = readdirSync('/proc/self/fd').length;
      const rss = process.memoryUsage.rss();
      collect();
      const { heapUsed } = process.memoryUsage();
      process.stdout.write(`${JSON.stringify({ cycles: done, rss, heapUsed, files })}\n`);
    }
    if (done >= Number(cycles)) stop.abort();
    return { isFailure: false };
  },
  areEdited: watched.areEdited,
  planned: () => undefined,
  clock: {
    now: () => Date.now() + ahead,
    elapsed: () => performance.now() + ahead,
    random: () => Math.random(),
    sleep: async (ms) => {
      ahead += ms;
    },
  },
  wakeMs: 60_000,
  signal: stop.signal,
});
