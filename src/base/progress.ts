/** The steps of the pipeline that a person can watch, in the order in which they happen. */
export type StepName =
  | 'resolve'
  | 'wheel'
  | 'download'
  | 'unpack'
  | 'copy'
  | 'compile'
  | 'assemble'
  | 'pack'
  | 'store'
  | 'export'
  | 'push'
  | 'check'
  | 'vendor';

/** What a stage tells while it works. Shown by `cli/`; never needed for the result. */
export type ProgressEvent =
  | { readonly kind: 'begin'; readonly step: StepName; readonly title: string; readonly total?: ProgressAmount }
  | { readonly kind: 'advance'; readonly step: StepName; readonly done: ProgressAmount; readonly detail?: string }
  | { readonly kind: 'end'; readonly step: StepName; readonly summary: string }
  | { readonly kind: 'warning'; readonly message: string; readonly hint?: string };

/** Absolute amounts, not increments; `bytes` where bytes are what takes the time. */
export interface ProgressAmount {
  readonly items?: number;
  readonly bytes?: number;
}

export type Progress = (event: ProgressEvent) => void;

/** For callers that do not watch. */
export const noProgress: Progress = () => undefined;
