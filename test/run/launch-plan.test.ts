import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePlan, programPath, type LaunchPlan } from '../../src/run/launch-plan.ts';
import { SMALL_PLAN } from './launch-plans.ts';

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function encode(rest: readonly string[]): string {
  return text(encodePlan({ ...SMALL_PLAN, arguments: ['/x', ...rest] }));
}

function written(network: LaunchPlan['network']): string {
  return text(encodePlan({ ...SMALL_PLAN, network }));
}

describe('encodePlan()', () => {
  it('writes magic, tags, lengths and values in little-endian order', () => {
    const bytes = encodePlan(SMALL_PLAN);
    expect(text(bytes.subarray(0, 8))).toBe('RCELLAR\u0001');
    expect(text(bytes.subarray(8, 8 + 8 + 7))).toBe('\u0001\0\0\0\u0007\0\0\0/image\0');
    expect(text(bytes)).toContain('\u0006\0\0\0\u000f\0\0\0\u0040\u000d\u0003\0\u0010\0\0\0/locks\0');
    expect(text(bytes)).toContain('\u0007\0\0\0\u000c\0\0\0main.py\0pass');
    expect(text(bytes)).toContain('\u000c\0\u0001\0\u0009\0\0\0/g/max\u00005\0');
  });

  it('writes how the program reaches others', () => {
    const proxy = '\u0018\0\0\0\u0007\0\0\0\u0038\u000c\0\0/s\0';
    expect(written({ kind: 'proxy', port: 3128, socket: '/s' })).toContain(proxy);
    const alone = '\u0018\0\0\0\u0005\0\0\0\u0038\u000c\0\0\0';
    expect(written({ kind: 'proxy', port: 3128, socket: undefined })).toContain(alone);
    const host = '\u0019\0\0\0\u0006\0\0\0dns\0h\0';
    expect(written({ kind: 'host', resolver: 'dns', hosts: 'h' })).toContain(host);
  });

  it('leaves the program out when there is none', () => {
    expect(text(encodePlan({ ...SMALL_PLAN, program: undefined }))).not.toContain('main.py');
  });

  it.each<[string, Partial<LaunchPlan>, RegExp]>([
    ['a NUL in an argument', { arguments: ['/bin/x', 'a\0b'] }, /^argument 1: has a NUL/],
    ['a NUL in the environment', { environment: { A: '\0' } }, /^environment: has a NUL/],
    ['a variable without a name', { environment: { '': 'x' } }, /^environment: "" is no name/],
    ['a variable name with `=`', { environment: { 'A=B': 'x' } }, /^environment: "A=B" is no name/],
    ['a NUL in the working directory', { workingDirectory: '/\0' }, /^working directory: has a NUL/],
    ['an argument over 128 KiB', { arguments: ['/bin/x', 'a'.repeat(131_072)] }, /too long/],
    ['arguments over 1 MiB', { arguments: Array.from({ length: 11 }, () => 'a'.repeat(100_000)) }, /too long/],
    [
      'too many variables',
      { environment: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`A${i}`, ''])) },
      /too long/,
    ],
    [
      'a program named `..`',
      { program: { name: '..', content: new Uint8Array() } },
      /^program: "\.\." is no file name/,
    ],
    [
      'a program in a folder',
      { program: { name: 'a/b', content: new Uint8Array() } },
      /^program: "a\/b" is no file name/,
    ],
    [
      'a program of 64 MiB',
      { program: { name: 'a', content: new Uint8Array(64 * 1024 ** 2) } },
      /are too many for one run/,
    ],
  ])('refuses %s', (_, change, message) => {
    expect(() => encodePlan({ ...SMALL_PLAN, ...change })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringMatching(message) }),
    );
  });

  it('gives different bytes for different arguments', () => {
    const words = fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 });
    fc.assert(
      fc.property(words, words, (one, other) => {
        expect(encode(one) === encode(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});

it('programPath() is where cell places the program', () => {
  expect(programPath('main.py')).toBe('/run/program/main.py');
});
