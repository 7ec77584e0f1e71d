import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { withListElements } from '../../src/recipe/recipe-edit.ts';

const ALLOW = ['sandbox', 'syscalls', 'allow'];

describe('withListElements()', () => {
  it.each([
    [
      'a list in brackets',
      'sandbox: { syscalls: { allow: [a] } } # x\n',
      'sandbox: { syscalls: { allow: [a, "@b"] } } # x\n',
    ],
    [
      'an empty list',
      'sandbox:\n  syscalls: { allow: [], deny: [] } # y\nz: 1\n',
      'sandbox:\n  syscalls: { allow: ["@b"], deny: [] } # y\nz: 1\n',
    ],
    [
      'a list of lines',
      'sandbox:\n  syscalls:\n    allow:\n    - a # why\n\n# next\nz: 1\n',
      'sandbox:\n  syscalls:\n    allow:\n    - a # why\n    - "@b"\n\n# next\nz: 1\n',
    ],
    ['no list', 'sandbox:\n  syscalls: { deny: [x] }\n', 'sandbox:\n  syscalls: { deny: [x], allow: ["@b"] }\n'],
    [
      'nothing of the path',
      'name: x # n\n\n# end\n',
      'name: x # n\nsandbox:\n  syscalls:\n    allow: ["@b"]\n\n# end\n',
    ],
    ['a path in braces', '{ name: x }', '{ name: x, sandbox: { syscalls: { allow: ["@b"] } } }'],
    ['no line feed at the end', 'name: x', 'name: x\nsandbox:\n  syscalls:\n    allow: ["@b"]'],
    [
      'a map further in',
      'sandbox:\n    network: none\nfiles:\n    /x: |\n      text\n',
      'sandbox:\n    network: none\n    syscalls:\n      allow: ["@b"]\nfiles:\n    /x: |\n      text\n',
    ],
  ])('adds to %s', (_, text, expected) => {
    expect(withListElements(text, ALLOW, ['@b'])).toBe(expected);
  });

  it('adds each element once, and none that is there', () => {
    expect(withListElements('l: [a, "b"]\n', ['l'], ['b', 'c', 'c', 'a'])).toBe('l: [a, "b", c]\n');
    expect(withListElements('l: [a]\n', ['l'], ['a'])).toBe('l: [a]\n');
  });

  it('gives up on aliases and on what is no list', () => {
    expect(withListElements('a: &x [1]\nl: *x\n', ['l'], ['b'])).toBeUndefined();
    expect(withListElements('l: text\n', ['l'], ['b'])).toBeUndefined();
    expect(withListElements('l:\n', ['l'], ['b'])).toBeUndefined();
  });

  it('changes the list and nothing else, however the recipe is written', () => {
    const word = fc.stringMatching(/^[a-z]{1,6}$/);
    const recipe = fc.record({
      name: word,
      sandbox: fc.record(
        { syscalls: fc.record({ allow: fc.array(word), deny: fc.array(word) }, { requiredKeys: [] }) },
        { requiredKeys: [] },
      ),
      files: fc.dictionary(word, fc.string({ unit: 'binary-ascii' })),
    });
    fc.assert(
      fc.property(
        recipe,
        fc.constantFrom('block', 'flow'),
        fc.uniqueArray(word, { minLength: 1 }),
        (value, style, added) => {
          const text = stringify(value, { collectionStyle: style === 'flow' ? 'flow' : 'any' });
          const edited = withListElements(text, ALLOW, added);
          if (edited === undefined) return;
          const allow = value.sandbox.syscalls?.allow ?? [];
          const wanted = [...allow, ...added.filter((one) => !allow.includes(one))];
          const { sandbox } = value;
          expect(parse(edited)).toEqual({
            ...value,
            sandbox: { ...sandbox, syscalls: { ...sandbox.syscalls, allow: wanted } },
          });
        },
      ),
    );
  });
});
