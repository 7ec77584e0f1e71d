import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrames } from '../../src/run/output-frames.ts';
import { DATA, DONE, END, FAULT, FILE, FOLDER, frame } from './frames.ts';

describe('decodeFrames()', () => {
  it('reads each kind of frame', () => {
    const bytes = Buffer.concat([
      frame(FOLDER, { request: 1, detail: 0o755 }),
      frame(FILE, { request: 1, detail: 0o4711, name: Buffer.from('a/\xff\n', 'latin1') }),
      frame(DATA, { request: 1, content: 'bytes' }),
      frame(END, { request: 1 }),
      frame(FAULT, { request: 2, detail: 2, name: 'link' }),
      frame(DONE),
    ]);
    expect(decodeFrames(bytes)).toEqual({
      frames: [
        { kind: 'folder', request: 1, mode: 0o755, name: Buffer.alloc(0) },
        { kind: 'file', request: 1, mode: 0o4711, name: Buffer.from('a/\xff\n', 'latin1') },
        { kind: 'data', request: 1, content: Buffer.from('bytes') },
        { kind: 'end', request: 1 },
        { kind: 'fault', request: 2, fault: 'symlink', name: Buffer.from('link') },
        { kind: 'done' },
      ],
      rest: Buffer.alloc(0),
    });
  });

  it('gives the same however the bytes are cut', () => {
    const bytes = Buffer.concat([frame(FILE, { name: 'a' }), frame(DATA, { content: 'x'.repeat(99) }), frame(END)]);
    const whole = decodeFrames(bytes).frames;
    fc.assert(
      fc.property(fc.nat(bytes.length), (at) => {
        const first = decodeFrames(bytes.subarray(0, at));
        const second = decodeFrames(Buffer.concat([first.rest, bytes.subarray(at)]));
        expect([...first.frames, ...second.frames]).toEqual(whole);
        expect(second.rest).toHaveLength(0);
      }),
    );
  });

  it.each([
    ['no kind', frame(0)],
    ['an unknown kind', frame(7)],
    ['a name that is too long', frame(FILE, { nameLength: 4096 })],
    ['a content that is too long', frame(DATA, { contentLength: 65_537n })],
    ['an endless content', frame(DATA, { contentLength: 2n ** 64n - 1n })],
    ['content of a file’s first frame', frame(FILE, { content: 'x' })],
    ['an absolute name', frame(FILE, { name: '/etc/passwd' })],
    ['a name that leads up', frame(FILE, { name: '../x' })],
    ['a name that leads up later', frame(FOLDER, { name: 'a/../../x' })],
    ['a name that is up', frame(FAULT, { detail: 1, name: '..' })],
    ['a dot', frame(FILE, { name: './a' })],
    ['an empty name', frame(FILE, { name: 'a//b' })],
    ['a slash at the end', frame(FILE, { name: 'a/' })],
    ['a NUL', frame(FILE, { name: 'a\0b' })],
    ['a name of 256 bytes', frame(FILE, { name: 'n'.repeat(256) })],
    ['a mode that is more', frame(FILE, { detail: 0o100_644 })],
    ['no fault', frame(FAULT)],
    ['an unknown fault', frame(FAULT, { detail: 9 })],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeFrames(bytes)).toThrow(/^unreachable: `cell` sent a frame whose/);
  });

  it('answers any bytes, with names that stay below and a rest that is bounded', () => {
    const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const near = fc
      .tuple(fc.nat(8), fc.nat(9), fc.string({ maxLength: 6, unit: fc.constantFrom('.', '/', 'a', '\0') }))
      .map(([kind, detail, name]) => frame(kind, { detail, name }));
    fc.assert(
      fc.property(fc.array(fc.oneof(near, any), { maxLength: 5 }), (parts) => {
        const decoded = decoding(Buffer.concat(parts));
        expect(decoded?.rest.length ?? 0).toBeLessThan(24 + 4095 + 65_536);
        for (const one of decoded?.frames ?? []) {
          const names = 'name' in one ? one.name.toString('latin1').split('/') : [];
          expect(names.includes('..')).toBe(false);
        }
      }),
    );
  });
});

function decoding(bytes: Buffer): ReturnType<typeof decodeFrames> | undefined {
  try {
    return decodeFrames(bytes);
  } catch (error) {
    if (String(error).includes('unreachable: `cell` sent')) return undefined;
    throw error;
  }
}
