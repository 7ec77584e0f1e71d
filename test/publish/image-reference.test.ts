import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { parseReference, referenceText } from '../../src/publish/image-reference.ts';

const DIGEST = digestOf('x');

describe('parseReference()', () => {
  it.each([
    ['ghcr.io/team/python:3', 'ghcr.io', 'team/python', '3', undefined],
    ['localhost/x', 'localhost', 'x', 'latest', undefined],
    ['LOCALHOST:5000/a/b/c', 'localhost:5000', 'a/b/c', 'latest', undefined],
    ['a.example:65535/x', 'a.example:65535', 'x', 'latest', undefined],
    ['[::1]:5000/x:y', '[::1]:5000', 'x', 'y', undefined],
    [`a.example/x@${DIGEST}`, 'a.example', 'x', undefined, DIGEST],
    [`a.example/x:1@${DIGEST}`, 'a.example', 'x', '1', DIGEST],
    ['docker.io/python', 'docker.io', 'library/python', 'latest', undefined],
    ['index.docker.io/me/python', 'docker.io', 'me/python', 'latest', undefined],
  ])('reads %s', (text, registry, repository, tag, digest) => {
    const reference = parseReference(text);
    expect(reference).toEqual({ registry, repository, tag, digest });
    expect(parseReference(referenceText(reference))).toEqual(reference);
  });

  it.each([
    ['python', 'names no registry'],
    ['team/python:3', 'names no registry'],
    ['a.example/', 'is no name'],
    ['a.example/Team/x', 'capital letters'],
    ['a.example/x:', 'is no tag'],
    ['a.example/x:-1', 'is no tag'],
    ['a.example/../x', 'is no name'],
    ['a.example/x@sha256:12', 'no digest'],
    [`a.example/x@${DIGEST}@${DIGEST}`, 'no digest'],
    ['a.example:port/x', 'is no host'],
    ['127.0.0.1:99999/x', '`127.0.0.1:99999` is no host'],
    ['a.example:65536/x', 'is no host'],
    ['a.example:0/x', 'is no host'],
    ['a.example:00/x', 'is no host'],
    ['[::::]/x', 'is no host'],
    ['1.2.3.999/x', 'is no host'],
    ['a.example/x y', 'is no name'],
    [`a.example/${'x'.repeat(300)}`, 'is no name'],
  ])('refuses %s', (text, fault) => {
    expect(() => parseReference(text)).toThrow(fault);
  });

  it.each(['https://user:secret@a.example/x', 'user:secret@a.example/x', 'user:secret@a.example:5000/x/y:1'])(
    'refuses %s without repeating the secret',
    (text) => {
      expect(() => parseReference(text)).toThrow(/has a user in it/);
      expect(() => parseReference(text)).not.toThrow(/secret/);
    },
  );

  it('refuses an address', () => {
    expect(() => parseReference('https://a.example/x')).toThrow('is an address');
  });
});
