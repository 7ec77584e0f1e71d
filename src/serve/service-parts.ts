import { RootcellarError } from '../base/rootcellar-error.ts';
import type { ImageSource, ServedImage, Upgrade } from './image-source.ts';
import type { KeptAnswers } from './kept-answers.ts';
import type { RunDesk } from './run-desk.ts';
import type { RunQueue } from './run-queue.ts';
import type { ServiceSettings } from './service-settings.ts';
import type { ServiceWatch } from './service-watch.ts';

/** What the routes of a service share. */
export interface ServiceParts {
  readonly settings: ServiceSettings;
  readonly images: RequiredImages;
  readonly desk: RunDesk;
  readonly queue: RunQueue;
  readonly kept: KeptAnswers;
  readonly watch: ServiceWatch;
}

export interface RequiredImages {
  /** Throws E_NOT_READY while there is none. */
  served(): ServedImage;
  refresh(upgrade: Upgrade): Promise<void>;
}

export function requiredImages(source: ImageSource, watch: Pick<ServiceWatch, 'requestRejected'>): RequiredImages {
  return {
    served() {
      const served = source.current();
      if (served !== undefined) return served;
      watch.requestRejected('not_ready');
      const problem = source.problem();
      const message = `the service: has no image yet${problem === undefined ? '' : `: ${problem}`}`;
      throw new RootcellarError('E_NOT_READY', message, { hint: 'GET /ready says when it has' });
    },
    refresh: (upgrade) => source.refresh(upgrade),
  };
}
