import { describe, expect, it } from 'vitest';
import { traceContext } from '../../src/serve/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('traceContext()', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`01-${TRACE}-${SPAN}-03-more`, true],
  ])('goes on with %s', (header, isSampled) => {
    const { spanId, ...rest } = traceContext(header);
    expect(rest).toEqual({ traceId: TRACE, parentId: SPAN, isSampled });
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(spanId).not.toBe(SPAN);
  });

  it.each([
    undefined,
    '',
    `00-${TRACE}-${SPAN}`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  ])('begins anew with %s', (header) => {
    const { traceId, parentId, isSampled } = traceContext(header);
    expect(traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect([traceId === TRACE, parentId, isSampled]).toEqual([false, undefined, false]);
  });
});
