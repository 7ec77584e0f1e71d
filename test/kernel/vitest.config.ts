import { defineConfig } from 'vitest/config';

/** Started by scripts/check-kernel.mjs; not a part of CI. */
export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: { include: ['test/kernel/*.check.ts'], hookTimeout: 3 * 3_600_000, testTimeout: 60_000 },
});
