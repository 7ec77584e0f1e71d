import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** The answers of a server that are not wholly sent yet. */
export interface OpenAnswers {
  /** Resolves when there is none. */
  readonly none: () => Promise<void>;
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
    none: () =>
      new Promise((resolve) => {
        tell = resolve;
        if (open.size === 0) resolve();
      }),
  };
}

function nobodyWaits(): void {}
