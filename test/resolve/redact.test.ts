import { describe, expect, it } from 'vitest';
import { redactAddresses, tailOf } from '../../src/resolve/redact.ts';

describe('redactAddresses()', () => {
  it('takes out host, credentials, query and fragment', () => {
    expect(redactAddresses("get 'https://u:p@h.example:8/simple/x/?token=1#f', (http://h.example)")).toBe(
      "get 'https://…/simple/x/', (http://…)",
    );
    expect(redactAddresses('404 [IP: 203.0.113.1 80]')).toBe('404');
  });

  it('leaves files alone', () => {
    expect(redactAddresses('file:///opt/x')).toBe('file:///opt/x');
  });
});

describe('tailOf()', () => {
  it('gives the last lines that say something', () => {
    expect(tailOf('a\n\nb \nc\n', 2)).toBe('b\nc');
  });
});
