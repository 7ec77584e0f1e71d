import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDirect } from '../../src/recipe/requirement-address.ts';
import { describeDirect } from '../../src/recipe/requirement.ts';

const SHA = 'a'.repeat(64);
const WHEEL = 'Toy_One-1.0-py3-none-any.whl';

describe('parseDirect()', () => {
  it.each([
    [
      `toy.one[b,A] @ https://u:p@h.example/x/${WHEEL}?t=1#sha256=${SHA} ; os_name=="posix"`,
      {
        kind: 'url',
        name: 'toy-one',
        extras: ['a', 'b'],
        marker: 'os_name == "posix"',
        address: `https://u:p@h.example/x/${WHEEL}?t=1`,
        file: WHEEL,
        version: '1.0',
        form: 'wheel',
        digest: `sha256:${SHA}`,
      },
    ],
    [`https://h.example/${WHEEL}`, { kind: 'url', name: 'toy-one', version: '1.0', marker: undefined }],
    [`https://h.example/${WHEEL}[x]`, { kind: 'url', extras: ['x'], address: `https://h.example/${WHEEL}` }],
    ['https://h.example/t-1.0%2Bcu1-py3-none-any.whl', { version: '1.0+cu1', file: 't-1.0+cu1-py3-none-any.whl' }],
    ['https://${USER}:${TOKEN}@${HOST}/t-1.0-py3-none-any.whl', { kind: 'url', name: 't' }],
    ['t @ https://h.example/t-1.0.tar.gz', { kind: 'url', form: 'source', name: 't', version: undefined }],
    [`./wheels/${WHEEL}`, { kind: 'path', path: `./wheels/${WHEEL}`, form: 'wheel', name: 'toy-one' }],
    [WHEEL, { kind: 'path', path: WHEEL }],
    [`wheels/${WHEEL}; python_version<"4"`, { kind: 'path', marker: 'python_version < "4"' }],
    [`toy-one @ file:///srv/a%20b/../${WHEEL}`, { fault: expect.any(String) }],
    [`toy-one @ file:///srv/${WHEEL}`, { kind: 'path', path: `/srv/${WHEEL}` }],
    [`file:./wheels/${WHEEL}`, { kind: 'path', path: `./wheels/${WHEEL}` }],
    [`file://localhost/srv/${WHEEL}`, { kind: 'path', path: `/srv/${WHEEL}` }],
    ['./folder[dev]', { kind: 'path', form: 'folder', extras: ['dev'], path: './folder' }],
    [
      'Lib[x] @ git+https://tok@h.example/a/lib.git@feature/x@1.0#subdirectory=py&egg=other',
      {
        kind: 'git',
        name: 'lib',
        extras: ['x'],
        repository: 'https://tok@h.example/a/lib.git@feature/x',
        revision: '1.0',
        subdirectory: 'py',
      },
    ],
    ['git+ssh://git@h.example/a/lib.git#egg=Lib', { kind: 'git', name: 'lib', revision: undefined }],
    ['numpy>=2', undefined],
    ['a; python_version < "3" and os_name == "a@b"', undefined],
  ])('reads %j', (text, expected) => {
    expect(parseDirect(text) ?? {}).toMatchObject(expected ?? {});
    expect(parseDirect(text) === undefined).toBe(expected === undefined);
  });

  it('describes each without host and credentials', () => {
    for (const text of [`toy-one @ https://u:secret@host/${WHEEL}`, 'x @ git+https://secret@host/x.git@1']) {
      const direct = parseDirect(text);
      if (direct === undefined || 'fault' in direct) throw new Error('it must be read');
      expect(describeDirect(direct)).not.toMatch(/secret|host/);
    }
  });

  it('never throws, whatever the text', () => {
    const piece = fc.constantFrom(
      'a',
      '@',
      ' ',
      'git+',
      'https://',
      'file:',
      '/',
      '[',
      ']',
      '#',
      '=',
      'sha256',
      '%',
      '%2',
      ';',
      '.whl',
      '-1.0',
      '-py3-none-any',
      '${A}',
      '..',
    );
    const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
    const samples = fc.sample(text, 2000);
    for (const sample of samples) expect(() => parseDirect(sample)).not.toThrow();
  });
});
