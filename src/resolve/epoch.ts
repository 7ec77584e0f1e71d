import type { Architecture } from '../base/architecture.ts';
import type { Epoch, ResolvedTarget } from './resolution.ts';

/**
 * Files of a host have no dates that mean anything: a copy has others. All of them are of 1 January 1980, the oldest time
 * that archives in common use can hold. Source: APPNOTE.TXT, 4.4.6.
 */
export const HOST_FILE_TIME = 315_532_800;

/** The newest date among the inputs: signed indexes and uploaded wheels. The first of several that are equally new. */
export function newestDate(targets: readonly ResolvedTarget[]): Epoch {
  const dates = targets.flatMap(({ indexes, wheels, host }) => [
    ...indexes.map(({ suite, date }) => ({ seconds: date, from: `index of ${suite}` })),
    ...(host === undefined ? [] : [{ seconds: HOST_FILE_TIME, from: 'the date that all host files get' }]),
    ...wheels.flatMap(({ file, uploaded }) => (uploaded === undefined ? [] : [{ seconds: uploaded, from: file }])),
  ]);
  return dates.reduce((newest, date) => (date.seconds > newest.seconds ? date : newest), {
    seconds: 0,
    from: 'no dated input',
  });
}

/** A target's epoch is told where it is another than the whole's. */
export function withOwnEpochs(
  targets: ReadonlyMap<Architecture, ResolvedTarget>,
  whole: Epoch,
): ReadonlyMap<Architecture, ResolvedTarget> {
  return new Map(
    [...targets].map(([architecture, target]) => {
      const { epoch: _, ...rest } = target;
      const epoch = newestDate([target]);
      return [architecture, epoch.seconds === whole.seconds ? rest : { ...rest, epoch }];
    }),
  );
}
