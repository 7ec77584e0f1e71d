import { assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { driverInput, readDriverAnswer } from '../../src/run/wheel-driver.ts';

function answer(head: unknown, content = ''): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from('RCWHEEL1'), length, text, Buffer.from(content)]);
}

const MAGIC = Buffer.from('RCWHEEL1');

describe('readDriverAnswer()', () => {
  it('reads a wheel, and requirements', () => {
    expect(readDriverAnswer(answer({ file: 'x.whl' }, 'PK'))).toEqual({
      kind: 'wheel',
      file: 'x.whl',
      content: Buffer.from('PK'),
    });
    expect(readDriverAnswer(answer({ requires: ['a>=1'] }))).toEqual({ kind: 'requires', requires: ['a>=1'] });
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['another beginning', Buffer.from('RCWHEEL2\u0000\u0000\u0000\u0000')],
    ['a length beyond the end', Buffer.concat([Buffer.from('RCWHEEL1'), Buffer.alloc(4, 255)])],
    ['no JSON', Buffer.concat([Buffer.from('RCWHEEL1'), Buffer.from([1, 0, 0, 0]), Buffer.from('x')])],
    ['neither', answer({})],
    ['no requirement', answer({ requires: [] })],
    ['a requirement of two lines', answer({ requires: ['a\n--index-url http://evil'] })],
    ['a number', answer({ requires: [1] })],
    ['far too many', answer({ requires: Array.from({ length: 201 }, (_, index) => `a${index}`) })],
    ['requirements with a wheel', answer({ requires: ['a'] }, 'PK')],
  ])('refuses %s', (_, bytes) => {
    expect(readDriverAnswer(bytes)).toBeUndefined();
  });

  it('never throws', () => {
    const bytes = uint8Array({ maxLength: 64 });
    const law = property(bytes, (some) => {
      expect([undefined, 'wheel', 'requires']).toContain(readDriverAnswer(Buffer.concat([MAGIC, some]))?.kind);
      expect(readDriverAnswer(some)).toBeUndefined();
    });
    assert(law);
  });
});

describe('driverInput()', () => {
  it('is a length, JSON and the tar', () => {
    const request = { backend: 'b', backendPath: ['_b'], folder: '', known: ['k'] };
    const bytes = Buffer.from(driverInput(request, Buffer.from('TAR')));
    const head = '{"backend":"b","backend_path":["_b"],"folder":"","known":["k"]}';
    expect(bytes.readUInt32LE(0)).toBe(head.length);
    expect(bytes.subarray(4).toString()).toBe(`${head}TAR`);
  });
});
