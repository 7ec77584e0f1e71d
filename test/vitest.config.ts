import { defineConfig } from 'vitest/config';

const E2E = ['test/e2e/**/*.test.ts', 'test/native/**/*.test.ts', 'test/attacks/**/*.test.ts'];

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    // What is waited for comes when it comes: only what never comes is a fault.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: E2E, testTimeout: 60_000 } },
      // Real builds and real cells: one file at a time, so that limits on time mean something on two cores.
      {
        extends: true,
        test: {
          name: 'e2e',
          include: E2E,
          globalSetup: 'test/support/e2e-folder.ts',
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      // Prints ratios and gates on nothing: `npm run bench`.
      {
        extends: true,
        test: { name: 'bench', include: ['test/bench/**/*.bench.ts'], testTimeout: 900_000, hookTimeout: 900_000 },
      },
    ],
  },
});
