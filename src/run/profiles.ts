/** A named choice of groups. Calls that no group names are denied and reported. */
export interface Profile {
  readonly reason: string;
  readonly groups: readonly string[];
}

const ALONE = [
  '@basic-io',
  '@file-system',
  '@memory',
  '@threads',
  '@signals',
  '@time',
  '@event-loop',
  '@process-info',
  '@random',
  '@probed',
] as const;

const PYTHON = [...ALONE, '@socket-pair'] as const;

export const PROFILES: ReadonlyMap<string, Profile> = new Map([
  ['python', { reason: 'one Python process with threads, no other programs, no network', groups: PYTHON }],
  [
    'python-subprocess',
    { reason: 'as `python`, and it may start programs of the image', groups: [...PYTHON, '@subprocess'] },
  ],
  [
    'node',
    {
      reason: 'one Node.js process with workers and WebAssembly, no other programs, no sockets',
      groups: [...ALONE, '@node-probed'],
    },
  ],
]);
