import type { Digest } from '../base/digest.ts';
import type { Image } from '../store/image-record.ts';
import type { ChangeReport } from './change-report.ts';
import type { UpdateFault } from './try-update.ts';

export type RefreshResult =
  /** Nothing is new. */
  | { readonly kind: 'current'; readonly report: ChangeReport }
  /** What there would be. */
  | { readonly kind: 'available'; readonly report: ChangeReport }
  /** Is current now, and locked. */
  | { readonly kind: 'switched'; readonly report: ChangeReport; readonly images: readonly Image[] }
  /** What served goes on serving, and the lockfile is as it was. */
  | {
      readonly kind: 'kept';
      readonly report: ChangeReport;
      readonly faults: readonly UpdateFault[];
      /** The packages whose update did it, those together that do it only together. */
      readonly culprits: readonly (readonly string[])[];
    };

/** A result, with the lockfile that was there before, and the one that is there now or was tried. */
export type RefreshedLock = RefreshResult & { readonly from: Digest; readonly to: Digest };
