import type { ImageSource } from './image-source.ts';
import type { ListenAddress } from './listen-address.ts';
import type { ServiceClock } from './run-desk.ts';
import type { Service } from './service.ts';

export interface ServiceLife {
  readonly service: Service;
  readonly images: ImageSource;
  readonly clock: Pick<ServiceClock, 'after'>;
  /** Whether there is something to build images from. */
  readonly isBuilt: boolean;
  /** Between two times that it is looked at again; undefined: only when asked. */
  readonly updateMs: number | undefined;
  /** Ends the service. */
  readonly signal: AbortSignal;
  readonly onListening: (address: ListenAddress) => void;
}

/**
 * From the first connection to the last answer: listens at once, has the image made if need be, and drains when the signal comes.
 * Throws E_LISTEN, and what the first build throws where there is no older image to serve.
 */
export async function liveUntilSignal(life: ServiceLife): Promise<void> {
  const { service, images, signal, isBuilt, onListening } = life;
  onListening(await service.listen());
  const updates = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (!isBuilt) return;
      updateOften(life, updates.signal);
      // With an older image the service goes on; whoever watches was told.
      images.refresh('none').catch((error: unknown) => {
        if (images.current() === undefined && !signal.aborted) reject(error);
      });
    });
  } finally {
    updates.abort();
    await service.close();
  }
}

function updateOften(life: ServiceLife, ended: AbortSignal): void {
  const { images, clock, updateMs } = life;
  if (updateMs === undefined) return;
  const callOff = clock.after(updateMs, async () => {
    // What fails was told to whoever watches, and is tried again next time.
    await images.refresh('none').catch(() => undefined);
    if (!ended.aborted) updateOften(life, ended);
  });
  ended.addEventListener('abort', callOff, { once: true });
}
