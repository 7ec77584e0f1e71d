import { describe, expect, it } from 'vitest';
import { DEFAULT_ADDRESS, parseListenAddress } from '../../src/serve/listen-address.ts';

describe('parseListenAddress()', () => {
  it.each([
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    [':80', { host: '0.0.0.0', port: 80 }],
    ['80', { host: '127.0.0.1', port: 80 }],
    ['localhost', { host: 'localhost', port: 8194 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['[::]', { host: '::', port: 8194 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ])('%s', (text, address) => {
    expect(parseListenAddress(text, DEFAULT_ADDRESS)).toEqual(address);
  });

  it.each(['', 'a:b', '::1', 'host:65536', 'http://x:80', '[::1'])('refuses %j', (text) => {
    expect(() => parseListenAddress(text, DEFAULT_ADDRESS)).toThrow(/is no address/);
  });
});
