import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { AptRoot } from '../../src/resolve/apt-root.ts';
import { chosenBefore } from '../../src/resolve/chosen-packages.ts';
import type { DebianRequest, DebianResolution } from '../../src/resolve/debian-resolver.ts';

const RESOLUTION: DebianResolution = {
  debs: [
    {
      kind: 'deb',
      name: 'a',
      version: '1',
      architecture: 'all',
      suite: 'trixie',
      path: 'pool/a.deb',
      size: 1,
      digest: digestOf('a'),
      depends: [],
    },
  ],
  indexes: [],
};

function unreachable(): never {
  throw new Error('unreachable: nothing is asked of apt');
}

/** A machine that keeps texts, and can do nothing else. */
function machine(): { readonly kept: Map<string, string>; readonly root: (knowledge: string) => AptRoot } {
  const kept = new Map<string, string>();
  const nothing = { run: unreachable, setSources: unreachable, restoreLists: unreachable, keepLists: unreachable };
  const more = { forgetLists: unreachable, setPins: unreachable, read: unreachable, stream: unreachable };
  return {
    kept,
    root: (knowledge) => ({
      ...nothing,
      ...more,
      folder: '/nowhere',
      architecture: 'amd64',
      knowledge: () => Promise.resolve(knowledge),
      keptText: (name) => Promise.resolve(kept.get(name)),
      keepText: async (name, text) => void kept.set(name, text),
    }),
  };
}

const NO_PINS = { locked: new Map<string, string>(), peer: new Map<string, string>() };
const REQUEST: DebianRequest = { suite: 'trixie', packages: ['a'], sources: [], pins: NO_PINS, warn: () => undefined };

async function isChosen(root: AptRoot, request: Partial<DebianRequest> = {}): Promise<boolean> {
  let count = 0;
  const resolution = await chosenBefore(root, { ...REQUEST, ...request }, () => {
    count += 1;
    return Promise.resolve(RESOLUTION);
  });
  expect(resolution).toEqual(RESOLUTION);
  return count === 1;
}

describe('chosenBefore()', () => {
  it('chooses once of the same indexes', async () => {
    const { root } = machine();
    expect([await isChosen(root('one')), await isChosen(root('one'))]).toEqual([true, false]);
    expect([await isChosen(root('two')), await isChosen(root('one'))]).toEqual([true, false]);
  });

  it.each<[string, Partial<DebianRequest>]>([
    ['packages', { packages: ['a', 'b'] }],
    ['locked versions', { pins: { ...NO_PINS, locked: new Map([['a', '1']]) } }],
    ['versions of the peer', { pins: { ...NO_PINS, peer: new Map([['a', '1']]) } }],
    ['suite', { suite: 'bookworm' }],
  ])('chooses again for other %s', async (_, other) => {
    const { root } = machine();
    await isChosen(root('one'));
    expect([await isChosen(root('one'), other), await isChosen(root('one'), other)]).toEqual([true, false]);
  });

  it('passes over what is damaged, and keeps no more than sixteen', async () => {
    const { kept, root } = machine();
    await isChosen(root('one'));
    for (const [name, text] of kept) kept.set(name, text.replace('trixie', 'sid'));
    expect(await isChosen(root('one'))).toBe(true);
    for (let index = 0; index < 16; index += 1) await isChosen(root(`later ${index}`));
    expect([await isChosen(root('later 0')), await isChosen(root('one'))]).toEqual([false, true]);
  });
});
