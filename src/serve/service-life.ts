import type { ScheduleClock } from '../refresh/schedule-clock.ts';
import type { ImageSource } from './image-source.ts';
import { keepImage, type Upkeep } from './image-upkeep.ts';
import type { ListenAddress } from './listen-address.ts';
import type { Service } from './service.ts';
import type { ServiceWatch } from './service-watch.ts';

export interface ServiceLife {
  readonly service: Service;
  readonly images: ImageSource;
  /** Of an image that is made from something; undefined: it is made elsewhere. */
  readonly upkeep: Upkeep | undefined;
  readonly watch: Pick<ServiceWatch, 'refreshPlanned' | 'noticed'>;
  readonly clock: ScheduleClock;
  /** Ends the service. */
  readonly signal: AbortSignal;
  readonly onListening: (address: ListenAddress) => void;
}

/**
 * From the first connection to the last answer: listens at once, has the image made if need be, and drains when the signal comes.
 * Throws E_LISTEN, and what the first build throws where there is no older image to serve.
 */
export async function liveUntilSignal(life: ServiceLife): Promise<void> {
  const { service, signal, upkeep, onListening } = life;
  onListening(await service.listen());
  const stop = new AbortController();
  let kept: Promise<void> = Promise.resolve();
  try {
    await new Promise<void>((resolve, reject) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (upkeep === undefined) return;
      kept = keepUp({ ...life, upkeep }, stop.signal);
      kept.catch(reject);
    });
  } finally {
    stop.abort();
    await service.close();
    // What it throws was told above.
    await kept.catch(() => undefined);
  }
}

/** The first build, and then what comes by and by. With an older image the service goes on without it; whoever watches was told. */
async function keepUp(life: ServiceLife & { readonly upkeep: Upkeep }, stopped: AbortSignal): Promise<void> {
  const { images, upkeep, watch, clock, signal } = life;
  try {
    await images.refresh('none');
  } catch (error) {
    if (images.current() === undefined && !signal.aborted) throw error;
  }
  await keepImage({ upkeep, images, watch, clock, signal: stopped });
}
