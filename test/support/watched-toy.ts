import { startProgram } from '../../src/run-program.ts';
import { createService } from '../../src/serve/service.ts';
import { serviceClock } from '../../src/serve/service-clock.ts';
import { DEFAULT_SETTINGS, type ServiceSettings } from '../../src/serve/service-settings.ts';
import { WatchedImages } from '../../src/serve/watched-images.ts';
import { serviceWatching } from '../../src/serve/watching.ts';
import type { ToyCellar } from './toy-service.ts';

/** A whole service on loopback, watched as `rootcellar serve` is. */
export interface WatchedToy extends AsyncDisposable {
  readonly url: string;
  readonly key: string;
  /** All that it has logged. */
  readonly log: () => string;
}

export async function watchedToy(cellar: ToyCellar, settings: Partial<ServiceSettings> = {}): Promise<WatchedToy> {
  const key = 'key-of-the-tests-7f3a';
  const written: string[] = [];
  const stream = { write: (line: string) => void written.push(line) };
  const { watch, log, extend } = serviceWatching({ stream, now: () => Date.now() });
  const { store, image, context } = cellar;
  const images = await WatchedImages.open({
    store,
    first: image,
    name: image.name,
    architecture: image.architecture,
    build: undefined,
    watch,
    everyMs: 1000,
  });
  const address = { host: '127.0.0.1', port: 0 };
  const service = createService({
    settings: { ...DEFAULT_SETTINGS, address, keys: [{ name: 'builders', key }], ...settings },
    images,
    watch,
    log,
    extend,
    clock: serviceClock(),
    start: (request) => startProgram(request, context()),
  });
  const { port } = await service.listen();
  return {
    url: `http://127.0.0.1:${port}`,
    key,
    log: () => written.join(''),
    [Symbol.asyncDispose]: async () => {
      service.stop();
      await service.close();
      await images.close();
    },
  };
}
