import { describe, expect, it } from 'vitest';
import { checkExposure, holderOf, isLoopback, keyRing, offeredKey, parseKeyFile } from '../../src/serve/api-keys.ts';

describe('holderOf()', () => {
  it('names whose key was offered, and nobody for any other', () => {
    const ring = keyRing([
      { name: 'a', key: 'one' },
      { name: 'b', key: 'two' },
    ]);
    expect(['one', 'two', 'three', '', 'on', 'onee'].map((key) => holderOf(ring, key))).toEqual([
      'a',
      'b',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(holderOf([], '')).toBeUndefined();
  });
});

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

describe('offeredKey()', () => {
  it.each([
    [{ 'x-api-key': 'k' }, 'k'],
    [{ 'x-api-key': 'k', authorization: 'Bearer other' }, 'k'],
    [{ authorization: 'Bearer k' }, 'k'],
    [{ authorization: 'bearer   k ' }, 'k'],
    [{ authorization: basic('user:k:k') }, 'k:k'],
    [{ authorization: basic(':k') }, 'k'],
    [{ authorization: basic('no colon') }, ''],
    [{ authorization: 'Digest k' }, ''],
    [{}, ''],
  ])('%j', (headers, key) => {
    expect(offeredKey(headers)).toBe(key);
  });
});

describe('parseKeyFile()', () => {
  it('reads a name and a key from each line', () => {
    const text = '# who may\n\nalice  k1\r\n\tbob k2\n';
    expect(parseKeyFile(text, 'keys')).toEqual([
      { name: 'alice', key: 'k1' },
      { name: 'bob', key: 'k2' },
    ]);
  });

  it.each([
    ['', /has no keys/],
    ['secret', /keys:1: is not `NAME KEY`/],
    ['a secret\nb two secrets', /keys:2/],
    ['a secret\na other', /is there twice/],
    ['a secret\nb secret', /is there twice/],
  ])('refuses %j without repeating a key', (text, message) => {
    const refused = (): unknown => parseKeyFile(text, 'keys');
    expect(refused).toThrow(message);
    expect(refused).not.toThrow(/secret/);
  });
});

describe('checkExposure()', () => {
  const known = [{ name: 'default', key: 'dify-sandbox' }];
  const own = [{ name: 'default', key: 'own' }];

  it('refuses no key and the known one wherever others reach them', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'sandbox']) {
      expect(() => checkExposure(host, known)).toThrow(/which everybody knows/);
      expect(() => checkExposure(host, [...own, ...known])).toThrow(/which everybody knows/);
      expect(() => checkExposure(host, [])).toThrow(/has no key/);
      expect(() => checkExposure(host, own)).not.toThrow();
    }
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      expect(() => checkExposure(host, known)).not.toThrow();
      expect(() => checkExposure(host, [])).not.toThrow();
    }
  });

  it('takes no other name for loopback', () => {
    const others = ['127.0.0.1.example.com', 'localhost.example.com', '128.0.0.1', '', '::', '10.0.0.127'];
    expect(others.filter(isLoopback)).toEqual([]);
  });
});
