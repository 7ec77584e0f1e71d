import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scrubUrl, splitUrl } from '../../src/store/url-text.ts';

describe('scrubUrl()', () => {
  it('leaves out all that can be a secret', () => {
    expect(scrubUrl('https://u:p@h:8/a/b.whl?token=x#y')).toBe('https://h:8/a/b.whl');
    expect(scrubUrl('not an address: u:p@h')).toBe('an address that cannot be read');
  });

  it('never shows a password, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (secret) => {
        const url = `https://user:${encodeURIComponent(`${secret}-hunter2`)}@h/a`;
        expect(scrubUrl(url)).toBe('https://h/a');
      }),
    );
  });
});

describe('splitUrl()', () => {
  it('makes a header of the credentials', () => {
    const split = splitUrl('https://us%3Aer:p%40ss@h/a#f');
    expect(split?.url.href).toBe('https://h/a');
    expect(split?.authorization).toBe(`Basic ${Buffer.from('us:er:p@ss').toString('base64')}`);
    expect(splitUrl('https://h/a')?.authorization).toBeUndefined();
  });

  it('takes a broken escape as it stands', () => {
    expect(splitUrl('https://u:100%@h/')?.authorization).toBe(`Basic ${Buffer.from('u:100%').toString('base64')}`);
  });

  it.each(['ftp://h/', 'data:,x', '', '//h/x'])('knows no %j', (text) => {
    expect(splitUrl(text)).toBeUndefined();
  });
});
