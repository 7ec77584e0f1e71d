import { setTimeout } from 'node:timers/promises';
import type { ClientRun } from './client-run.ts';
import type { RunResult } from './run-result.ts';
import { sendRun, type Surroundings } from './send-run.ts';
import { checkHeader, runAddress } from './service-address.ts';

export interface ConnectOptions {
  /** Of the service, such as `http://127.0.0.1:8194`. */
  readonly url: string | URL;
  /** The API key; left out where the service asks for none. */
  readonly key?: string | undefined;
  /** How often a request is sent again when the service says that it may be; 3 when left out. */
  readonly retries?: number | undefined;
}

/** A service that runs programs. It holds nothing open, so there is nothing to close. */
export interface Cellar {
  /**
   * Runs a program; how it fared is in what it gives. Throws when it was not run, with the service's code, such as E_REQUEST,
   * E_UNAUTHORIZED or E_BUSY, or with E_SERVICE_UNREACHABLE, E_SERVICE_FAILED or E_SERVICE_ANSWER. With E_SERVICE_LOST nobody
   * knows whether it was run. Throws the reason of `signal` when that is aborted.
   */
  readonly run: (run: ClientRun) => Promise<RunResult>;
}

const RETRIES = 3;

const SURROUNDINGS: Surroundings = {
  send: (address, options) => fetch(address, options),
  now: () => Date.now(),
  pause: async (ms, signal) => {
    await setTimeout(ms, undefined, { signal });
  },
};

/** Throws E_USAGE for an address or a key that cannot be one. Whether a service is there is seen at the first run. */
export function connect(options: ConnectOptions, surroundings: Surroundings = SURROUNDINGS): Cellar {
  const { url, key, retries = RETRIES } = options;
  checkHeader('key', key);
  const target = { address: runAddress(url), key, retries };
  return { run: (run) => sendRun(run, target, surroundings) };
}
