import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { SMALL_PLAN } from '../run/launch-plans.ts';
import { NATIVE } from './toy-cell.ts';

const [OK, BAD_MAGIC, BAD_RECORD, BAD_VALUE, TOO_MANY, INCOMPLETE] = ['0', '1', '2', '3', '4', '5'];
const WHOLE = Buffer.from(encodePlan(SMALL_PLAN));

/** A record with any tag, flags and claimed length. */
function record(tag: number, body: Uint8Array, claim = { flags: 0, length: body.length }): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(tag, 0);
  header.writeUInt16LE(claim.flags, 2);
  header.writeUInt32LE(claim.length, 4);
  return Buffer.concat([header, body]);
}

function fileBody(mode: number, size: number, folder: string, name: string): Buffer {
  const numbers = Buffer.alloc(12);
  numbers.writeUInt32LE(mode, 0);
  numbers.writeBigUInt64LE(BigInt(size), 4);
  return Buffer.concat([numbers, Buffer.from(`${folder}\0${name}\0`)]);
}

function outputBody(...paths: readonly string[]): Buffer {
  return Buffer.concat([Buffer.alloc(12), ...paths.map((path) => Buffer.from(`${path}\0`))]);
}

/** The body of a record that tells of a proxy. */
function networked(port: number, socket: string): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32LE(port);
  return Buffer.concat([body, Buffer.from(`${socket}\0`)]);
}

/** The body of a record that tells of a tier. */
function tiered(number: number, place?: string): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32LE(number);
  return place === undefined ? body : Buffer.concat([body, Buffer.from(`${place}\0`)]);
}

describe('plan_decode() under ASan and UBSan', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rootcellar-plan-'));
    execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${folder}`, `${folder}/cell-fuzz-plan`, `${folder}/unit`]);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The answer to each plan; a sanitizer's finding is an error. */
  function decode(plans: readonly Uint8Array[]): readonly string[] {
    const input = plans.flatMap((plan) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(plan.length);
      return [length, plan];
    });
    const run = spawnSync(join(folder, 'cell-fuzz-plan'), { input: Buffer.concat(input), encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    return run.stdout.trim().split('\n');
  }

  it('passes the tests of the pure C modules', () => {
    expect(execFileSync(join(folder, 'unit'), { encoding: 'utf8' })).toMatch(/^ok \d+\n$/);
  });

  it('takes a plan of encodePlan()', () => {
    expect(decode([WHOLE])).toEqual([OK]);
  });

  it('takes a plan to trace', () => {
    expect(decode([Buffer.concat([WHOLE, record(17, Buffer.alloc(0))])])).toEqual([OK]);
  });

  it.each([
    ['a file', fileBody(0o644, 5, 'a/b', 'c.txt'), 20, 0],
    ['a folder', fileBody(0o755, 0, '.', 'a'), 20, 4],
    ['outputs', outputBody('.', 'a/b', 'c'), 21, 0],
    ['a /proc', Buffer.alloc(0), 22, 0],
    ['the file of its image', Buffer.from('/store/uses/a\0'), 28, 0],
  ])('takes a plan with %s', (_, body, tag, flags) => {
    expect(decode([Buffer.concat([WHOLE, record(tag, body, { flags, length: body.length })])])).toEqual([OK]);
  });

  it.each<[string, Buffer]>([
    ['a file in a folder above', record(20, fileBody(0o644, 0, '..', 'c'))],
    ['a file in a folder that leads up', record(20, fileBody(0o644, 0, 'a/../b', 'c'))],
    ['a file in an absolute folder', record(20, fileBody(0o644, 0, '/etc', 'c'))],
    ['a file in no folder', record(20, fileBody(0o644, 0, '', 'c'))],
    ['a file in a folder without a name', record(20, fileBody(0o644, 0, 'a//b', 'c'))],
    ['a file in a folder with a name of 256 bytes', record(20, fileBody(0o644, 0, 'n'.repeat(256), 'c'))],
    ['a file in a path of 4096 bytes', record(20, fileBody(0o644, 0, 'n/'.repeat(2048) + 'x', 'c'))],
    ['a file called `..`', record(20, fileBody(0o644, 0, '.', '..'))],
    ['a file called `.`', record(20, fileBody(0o644, 0, '.', '.'))],
    ['a file with a slash in its name', record(20, fileBody(0o644, 0, '.', 'a/b'))],
    ['a file without a name', record(20, fileBody(0o644, 0, '.', ''))],
    ['a setuid file', record(20, fileBody(0o4755, 0, '.', 'c'))],
    ['a file of an exabyte', record(20, fileBody(0o644, 2 ** 52, '.', 'c'))],
    ['a folder with a size', record(20, fileBody(0o755, 1, '.', 'c'), { flags: 4, length: 16 })],
    ['a file with more after its name', record(20, Buffer.concat([fileBody(0o644, 0, '.', 'c'), Buffer.from('x\0')]))],
    ['half a file', record(20, Buffer.alloc(11))],
    ['an absolute output', record(21, outputBody('/etc'))],
    ['an output that leads up', record(21, outputBody('a/..'))],
    ['no outputs', record(21, outputBody())],
    ['half an output', record(21, Buffer.alloc(11))],
    ['an output without a NUL', record(21, Buffer.concat([Buffer.alloc(12), Buffer.from('a')]))],
    ['a /proc record with content', record(22, Buffer.alloc(1))],
    ['a relative path of its image', record(28, Buffer.from('uses/a\0'))],
    ['no path of its image', record(28, Buffer.alloc(0))],
    ['a path of its image without a NUL', record(28, Buffer.from('/store'))],
  ])('refuses %s', (_, bytes) => {
    expect(decode([Buffer.concat([WHOLE, bytes])])).toEqual([BAD_VALUE]);
  });

  it('bounds files and outputs', () => {
    const files = Array.from({ length: 4097 }, (_, index) => record(20, fileBody(0o644, 0, '.', `${index}`)));
    const outputs = record(21, outputBody(...Array.from({ length: 65 }, (_, index) => `${index}`)));
    expect(decode([Buffer.concat([WHOLE, ...files.slice(1)])])).toEqual([OK]);
    expect(decode([Buffer.concat([WHOLE, ...files]), Buffer.concat([WHOLE, outputs])])).toEqual([TOO_MANY, TOO_MANY]);
  });

  it.each<[string, string, number, Buffer]>([
    ['a proxy', OK, 24, networked(3128, '/run/proxy')],
    ['a proxy on a port alone', OK, 24, networked(40_000, '')],
    ['the network of the host', OK, 25, Buffer.from('nameserver 127.0.0.1\n\0\0')],
    ['no port', BAD_VALUE, 24, networked(0, '/run/proxy')],
    ['a port that needs privilege', BAD_VALUE, 24, networked(80, '/run/proxy')],
    ['a port beyond all', BAD_VALUE, 24, networked(65_536, '/run/proxy')],
    ['a socket that is no absolute path', BAD_VALUE, 24, networked(3128, 'proxy')],
    ['a socket whose path is too long', BAD_VALUE, 24, networked(3128, `/${'x'.repeat(107)}`)],
    ['a socket whose path is just not too long', OK, 24, networked(3128, `/${'x'.repeat(106)}`)],
    ['something behind the socket', BAD_VALUE, 24, Buffer.concat([networked(3128, '/run/proxy'), Buffer.of(0)])],
    ['one file of two', BAD_VALUE, 25, Buffer.from('x\0')],
    ['too large a file', BAD_VALUE, 25, Buffer.from(`${'x'.repeat(65_537)}\0\0`)],
    ['a tag that is nobody\u2019s', BAD_RECORD, 29, Buffer.alloc(0)],
  ])('judges a plan with %s', (_, answer, tag, body) => {
    expect(decode([Buffer.concat([WHOLE, record(tag, body)])])).toEqual([answer]);
  });

  it('refuses a plan with both a proxy and the network of the host', () => {
    const both = [record(24, networked(3128, '/run/proxy')), record(25, Buffer.from('\0\0'))];
    expect(decode([Buffer.concat([WHOLE, ...both])])).toEqual([INCOMPLETE]);
  });

  it.each<[string, string, Buffer]>([
    ['tier B', OK, tiered(2)],
    ['tier C', OK, tiered(3, '/slots')],
    ['tier D', OK, tiered(4, '/run/1')],
    ['no tier', BAD_VALUE, tiered(0)],
    ['a tier beyond all', BAD_VALUE, tiered(5, '/x')],
    ['a folder in tier A', BAD_VALUE, tiered(1, '/x')],
    ['tier C without slots', BAD_VALUE, tiered(3)],
    ['slots that are relative', BAD_VALUE, tiered(3, 'slots')],
    ['a folder whose path leaves no room', BAD_VALUE, tiered(4, `/${'x'.repeat(3800)}`)],
  ])('judges a plan of %s', (_, answer, body) => {
    const plan = Buffer.from(encodePlan({ ...SMALL_PLAN, tier: 'A' }));
    const own = record(18, tiered(1));
    const at = plan.indexOf(own);
    const changed = Buffer.concat([plan.subarray(0, at), record(18, body), plan.subarray(at + own.length)]);
    expect(decode([changed])).toEqual([answer]);
  });

  it('wants either control groups or limits to watch', () => {
    const watch = { memoryBytes: 1, processes: 1 };
    const plans = [
      encodePlan({ ...SMALL_PLAN, cgroups: undefined, watch }),
      encodePlan({ ...SMALL_PLAN, cgroups: undefined }),
      encodePlan({ ...SMALL_PLAN, watch }),
      encodePlan({ ...SMALL_PLAN, cgroups: undefined, watch: { ...watch, memoryBytes: 0 } }),
    ];
    expect(decode(plans)).toEqual([OK, INCOMPLETE, INCOMPLETE, BAD_VALUE]);
  });

  it('refuses every beginning of a plan', () => {
    const beginnings = Array.from({ length: WHOLE.length }, (_, length) => WHOLE.subarray(0, length));
    expect(decode(beginnings)).not.toContain(OK);
  });

  it.each<[string, string | undefined, Uint8Array]>([
    ['other magic', BAD_MAGIC, Buffer.concat([Buffer.from('X'), WHOLE.subarray(1)])],
    ['an unknown tag', BAD_RECORD, Buffer.concat([WHOLE, record(99, Buffer.alloc(4))])],
    ['tag zero', BAD_RECORD, Buffer.concat([WHOLE, record(0, Buffer.alloc(4))])],
    ['an unknown flag', BAD_RECORD, Buffer.concat([WHOLE, record(2, Buffer.from('a\0'), { flags: 1, length: 2 })])],
    [
      'a length beyond the end',
      BAD_RECORD,
      Buffer.concat([WHOLE, record(2, Buffer.from('a\0'), { flags: 0, length: 3 })]),
    ],
    [
      'the largest length',
      BAD_RECORD,
      Buffer.concat([WHOLE, record(2, Buffer.from('a\0'), { flags: 0, length: 0xffffffff })]),
    ],
    ['a second root', BAD_RECORD, Buffer.concat([WHOLE, record(1, Buffer.from('/\0'))])],
    ['a string without NUL', BAD_VALUE, Buffer.concat([WHOLE, record(2, Buffer.from('a'))])],
    ['a string with two NULs', BAD_VALUE, Buffer.concat([WHOLE, record(2, Buffer.from('a\0b\0'))])],
    ['an empty string record', BAD_VALUE, Buffer.concat([WHOLE, record(2, Buffer.alloc(0))])],
    ['a trace record with content', BAD_VALUE, Buffer.concat([WHOLE, record(17, Buffer.alloc(1))])],
    ['a relative join', BAD_VALUE, Buffer.concat([WHOLE, record(15, Buffer.from('tasks\0'))])],
    [
      'a resource limit above its hard one',
      BAD_VALUE,
      Buffer.concat([WHOLE, record(9, Buffer.from([4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))]),
    ],
    [
      'too many arguments',
      TOO_MANY,
      Buffer.concat([WHOLE, ...Array.from({ length: 1024 }, () => record(2, Buffer.from('\0')))]),
    ],
    [
      'too many joins',
      TOO_MANY,
      Buffer.concat([WHOLE, ...Array.from({ length: 8 }, () => record(15, Buffer.from('/\0')))]),
    ],
    ['nothing but magic', INCOMPLETE, WHOLE.subarray(0, 8)],
  ])('refuses %s', (_, answer, plan) => {
    expect(decode([plan])).toEqual([answer]);
  });

  it.each([
    ['root id 0', { identities: { firstUid: 0, count: 1, lockFile: '/l' } }],
    ['ids beyond what a uid can be', { identities: { firstUid: 2 ** 31, count: 9, lockFile: '/l' } }],
    ['no ids', { identities: { firstUid: 200_000, count: 0, lockFile: '/l' } }],
    ['no wall limit', { limits: { ...SMALL_PLAN.limits, wallMs: 0 } }],
    ['an endless wall limit', { limits: { ...SMALL_PLAN.limits, wallMs: 2 ** 50 } }],
    ['an unlimited /tmp', { limits: { ...SMALL_PLAN.limits, tmpBytes: 0 } }],
    ['a filter of half an instruction', { filter: Buffer.alloc(12) }],
    ['no filter', { filter: Buffer.alloc(0) }],
    ['a filter of 4097 instructions', { filter: Buffer.alloc(8 * 4097) }],
    ['a relative root', { root: 'image' }],
    ['a relative program', { arguments: ['x'] }],
    ['a long host name', { hostname: 'a'.repeat(65) }],
  ])('refuses %s', (_, change) => {
    expect(decode([encodePlan({ ...SMALL_PLAN, ...change })])).toEqual([BAD_VALUE]);
  });

  it('answers any bytes, and reads none beyond them', () => {
    const mutations = fc.array(fc.tuple(fc.nat(WHOLE.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    const mutated = mutations.map((changes) => {
      const plan = Buffer.from(WHOLE);
      for (const [index, byte] of changes) plan[index] = byte;
      return plan;
    });
    const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([WHOLE.subarray(0, 8), bytes]));
    const records = fc
      .array(fc.tuple(fc.nat(23), fc.uint8Array({ maxLength: 60 }), fc.nat(80)), { maxLength: 12 })
      .map((rows) =>
        Buffer.concat([WHOLE, ...rows.map(([tag, body, length]) => record(tag, body, { flags: 0, length }))]),
      );
    const plan = fc.oneof(mutated, random, records);
    fc.assert(
      fc.property(fc.array(plan, { minLength: 200, maxLength: 200 }), (plans) => {
        expect(decode(plans)).toHaveLength(200);
      }),
      { numRuns: 25 },
    );
  });
});
