import { describe, expect, it } from 'vitest';
import { traceContext, traceResponse } from '../../src/serve/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('traceContext()', () => {
  it('continues the trace of who asks, with a span of its own', () => {
    const trace = traceContext(`00-${TRACE}-${PARENT}-01`);
    expect(trace).toMatchObject({ traceId: TRACE, parentId: PARENT, isSampled: true, isRandom: false });
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe(PARENT);
    expect(traceContext(`00-${TRACE}-${PARENT}-01`).spanId).not.toBe(trace.spanId);
  });

  it.each([
    ['02', false, true],
    ['03', true, true],
    ['fd', true, false],
  ])('reads the bits of the flags %s', (flags, isSampled, isRandom) => {
    expect(traceContext(`00-${TRACE}-${PARENT}-${flags}`)).toMatchObject({ isSampled, isRandom });
  });

  it('reads what it knows of versions to come', () => {
    expect(traceContext(`cc-${TRACE}-${PARENT}-01-what-will-be`)).toMatchObject({ traceId: TRACE, parentId: PARENT });
  });

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another format', 'b3-1-2'],
    ['upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the version that is forbidden', `ff-${TRACE}-${PARENT}-01`],
    ['more fields than this version has', `00-${TRACE}-${PARENT}-01-more`],
    ['flags that are none', `00-${TRACE}-${PARENT}-zz`],
    ['two headers joined', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
  ])('begins a trace for %s', (_, header) => {
    const trace = traceContext(header);
    expect(trace.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(trace.traceId).not.toBe(TRACE);
    expect(trace).toMatchObject({ parentId: undefined, isSampled: false, isRandom: true });
  });
});

describe('traceResponse()', () => {
  it.each(['00', '01', '02', '03'])('gives the flags %s back as they came', (flags) => {
    const trace = traceContext(`00-${TRACE}-${PARENT}-${flags}`);
    expect(traceResponse(trace)).toBe(`00-${TRACE}-${trace.spanId}-${flags}`);
  });

  it('names a trace that began here', () => {
    const trace = traceContext(undefined);
    expect(traceResponse(trace)).toBe(`00-${trace.traceId}-${trace.spanId}-02`);
  });
});
