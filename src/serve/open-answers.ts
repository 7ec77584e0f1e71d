import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ServiceClock } from './run-desk.ts';

/** The answers of a server that are not wholly sent yet. */
export interface OpenAnswers {
  /** Resolves when there is none, or in so many milliseconds. */
  readonly none: (withinMs: number, clock: Pick<ServiceClock, 'after'>) => Promise<void>;
}

/** From now on. */
export function trackAnswers(app: FastifyInstance): OpenAnswers {
  const open = new Set<ServerResponse>();
  let tell = nobodyWaits;
  app.addHook('onRequest', async (_, { raw }) => {
    open.add(raw);
    raw.once('close', () => {
      open.delete(raw);
      if (open.size === 0) tell();
    });
  });
  return {
    none: (withinMs, clock) =>
      new Promise((resolve) => {
        const callOff = clock.after(withinMs, resolve);
        tell = () => {
          callOff();
          resolve();
        };
        if (open.size === 0) tell();
      }),
  };
}

function nobodyWaits(): void {}
