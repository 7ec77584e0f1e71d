import { describe, expect, it } from 'vitest';
import { parseChallenge } from '../../src/publish/registry-challenge.ts';

describe('parseChallenge()', () => {
  it.each([
    ['Basic realm="a, b"', { kind: 'basic' }],
    ['basic', { kind: 'basic' }],
    [
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
      { kind: 'bearer', realm: 'https://auth.example/token', service: 'registry', scope: 'repository:a/b:pull,push' },
    ],
    ['Basic realm="x", Bearer realm="y"', { kind: 'bearer', realm: 'y', service: undefined, scope: undefined }],
    [String.raw`bearer realm="a\"b" , service=x`, { kind: 'bearer', realm: 'a"b', service: 'x', scope: undefined }],
    ['Digest realm="x", nonce="Basic"', undefined],
    ['Bearer', undefined],
    ['', undefined],
  ])('reads %s', (header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge);
  });
});
