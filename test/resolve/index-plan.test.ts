import { describe, expect, it } from 'vitest';
import { indexPlan } from '../../src/resolve/index-plan.ts';
import type { MachineIndexes } from '../../src/resolve/python-index.ts';
import { accessSettings } from '../../src/resolve/access-settings.ts';

const NONE = { main: undefined, extra: [] };
const UV = { main: 'https://uv.example/s/', extra: ['https://x.example/s'] };
const PIP = { main: 'https://pip.example/s', extra: [] };
const SETTINGS = {
  hostArchitecture: 'amd64' as const,
  environment: { TOKEN: 'pw' },
  cacheFolder: '/nowhere',
  temporaryFolder: '/nowhere',
  now: 0,
};

function machine(uv: MachineIndexes['uv'], pip: MachineIndexes['pip']): MachineIndexes {
  return { uv, pip, netrc: undefined, keyring: false, trustedHosts: ['m.example'], authorities: [], proxy: undefined };
}

async function plan(
  python: Parameters<typeof indexPlan>[0],
  machineIndexes: MachineIndexes,
): Promise<readonly string[]> {
  const { indexes } = await indexPlan(python, { machine: machineIndexes, settings: SETTINGS, folder: '/r' });
  return indexes.map(({ address }) => address);
}

describe('indexPlan()', () => {
  it('asks extra indexes first; the recipe’s keys replace the machine’s settings, uv’s count before pip’s', async () => {
    const none = { indexUrl: undefined };
    expect(await plan(none, machine(UV, PIP))).toEqual(['https://x.example/s', 'https://uv.example/s']);
    expect(await plan(none, machine(NONE, PIP))).toEqual(['https://pip.example/s']);
    expect(await plan({ indexUrl: 'https://r.example/s' }, machine(UV, PIP))).toEqual(['https://r.example/s']);
    const extraIndexUrls = ['https://a.example/', 'https://b.example/', 'https://a.example'];
    expect(await plan({ ...none, extraIndexUrls }, machine(UV, PIP))).toEqual([
      'https://a.example',
      'https://b.example',
      'https://uv.example/s',
    ]);
    expect(await plan({ ...none, noIndex: true, findLinks: ['w'] }, machine(UV, PIP))).toEqual([]);
  });

  it('fills in variables, and says which is not set without showing the address', async () => {
    const found = await plan({ indexUrl: 'https://me:${TOKEN}@r.example/s' }, machine(NONE, NONE));
    expect(found).toEqual(['https://me:pw@r.example/s']);
    await expect(plan({ indexUrl: 'https://me:${OTHER}@r.example/s' }, machine(NONE, NONE))).rejects.toMatchObject({
      code: 'E_INDEX_DENIED',
      message: 'an address of the recipe: the variable OTHER is not set',
    });
  });

  it('knows folders below the recipe and addresses as places of links', async () => {
    const findLinks = ['wheels', 'file:///srv/w', 'https://me:${TOKEN}@l.example/'];
    const question = { machine: machine(UV, NONE), settings: SETTINGS, folder: '/r x' };
    const { links, trustedHosts } = await indexPlan({ indexUrl: undefined, findLinks, trustedHosts: ['t'] }, question);
    expect(links.map(({ address }) => address)).toEqual([
      'file:///r%20x/wheels',
      'file:///srv/w',
      'https://me:pw@l.example/',
    ]);
    expect(links.map(({ identity }) => identity)).toEqual([
      'wheels',
      expect.stringMatching(/^sha256:/),
      expect.stringMatching(/^sha256:/),
    ]);
    expect(trustedHosts).toEqual(['t', 'm.example']);
  });
});

describe('accessSettings()', () => {
  it('reads how uv and pip are set up to reach indexes', () => {
    const texts = {
      environment: { PIP_TRUSTED_HOST: 'a b:1', UV_KEYRING_PROVIDER: 'subprocess' },
      uvTexts: ['allow-insecure-host = ["c"]'],
      pipTexts: ['[global]\ncert = /ca.pem\nproxy = http://p\ntrusted-host =\n  d\n  e\n', undefined],
    };
    expect(accessSettings(texts)).toEqual({
      keyring: true,
      trustedHosts: ['a', 'b:1', 'c', 'd', 'e'],
      authorities: ['/ca.pem'],
      proxy: 'http://p',
    });
    expect(
      accessSettings({ environment: {}, uvTexts: [], pipTexts: ['[global]\nkeyring-provider = disabled'] }),
    ).toEqual({
      keyring: false,
      trustedHosts: [],
      authorities: [],
      proxy: undefined,
    });
  });
});
