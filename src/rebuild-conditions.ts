/*
 * Loaded into a build before anything else (`node --import`), to make its surroundings unlike those of another build: what
 * ROOTCELLAR_REBUILD says in JSON. Whatever of this gets into an image is a fault that `verify --rebuild` finds.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { z } from 'zod';

const CONDITIONS = z.object({ umask: z.int(), processors: z.int(), reversed: z.boolean(), clockDays: z.int() });

const { umask, processors, reversed, clockDays } = CONDITIONS.parse(
  JSON.parse(process.env['ROOTCELLAR_REBUILD'] ?? '{}'),
);

process.umask(umask);
os.availableParallelism = () => processors;
if (reversed) reverseFolders();
syncBuiltinESMExports();
if (clockDays !== 0) shiftClock(clockDays * 86_400_000);

/** Folders list their entries the other way round. */
function reverseFolders(): void {
  const { readdirSync } = fs;
  const { readdir } = fs.promises;
  fs.readdirSync = new Proxy(readdirSync, {
    apply: (target, self, words) => backwards(Reflect.apply(target, self, words)),
  });
  fs.promises.readdir = new Proxy(readdir, {
    apply: async (target, self, words) => backwards(await Reflect.apply(target, self, words)),
  });
}

function backwards<T>(list: T): T {
  if (Array.isArray(list)) list.reverse();
  return list;
}

function shiftClock(milliseconds: number): void {
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, words: readonly unknown[], self) =>
      Reflect.construct(target, words.length === 0 ? [RealDate.now() + milliseconds] : words, self),
    get: (target, name, self): unknown =>
      name === 'now' ? () => RealDate.now() + milliseconds : Reflect.get(target, name, self),
  });
}
