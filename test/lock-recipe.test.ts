import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noProgress } from '../src/base/progress.ts';
import { resolverSettings } from '../src/lock-recipe.ts';
import { Store } from '../src/store/store.ts';
import { scratchStore } from './store/scratch-store.ts';

it('resolverSettings() gives resolvers a folder that nobody sweeps while they live, and that goes with them', async () => {
  const store = await scratchStore();
  const { signal } = new AbortController();
  const context = { store, environment: {}, hostArchitecture: 'amd64', signal, progress: noProgress, now: 1 } as const;
  const { temporaryFolder } = await resolverSettings(context);
  mkdirSync(temporaryFolder, { recursive: true });
  writeFileSync(join(temporaryFolder, 'list'), '');
  const other = await Store.open({ home: store.home });
  await other.temporaryPath();
  await other.close();
  expect(existsSync(join(temporaryFolder, 'list'))).toBe(true);
  await store.close();
  expect(existsSync(temporaryFolder)).toBe(false);
});
