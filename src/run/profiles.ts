/** A named choice of groups. Calls that no group names are denied and reported. */
export interface Profile {
  readonly reason: string;
  readonly groups: readonly string[];
}

const PYTHON = [
  '@basic-io',
  '@file-system',
  '@memory',
  '@threads',
  '@signals',
  '@time',
  '@event-loop',
  '@socket-pair',
  '@process-info',
  '@random',
  '@probed',
] as const;

export const PROFILES: ReadonlyMap<string, Profile> = new Map([
  ['python', { reason: 'one Python process with threads, no other programs, no network', groups: PYTHON }],
  [
    'python-subprocess',
    { reason: 'as `python`, and it may start programs of the image', groups: [...PYTHON, '@subprocess'] },
  ],
]);
