import { expect, it } from 'vitest';
import { progressBar, progressText } from '../../src/cli/progress-text.ts';

it('progressText() shows items and bytes with what is known of their totals', () => {
  expect(progressText({ items: 3, bytes: 1536 }, { items: 10, bytes: 4096 })).toBe('3/10, 1.5 KiB of 4 KiB');
  expect(progressText({ bytes: 10 }, undefined)).toBe('10 B');
});

it('progressBar() goes by bytes and never past its end', () => {
  expect(progressBar({ bytes: 50 }, { bytes: 100 })).toBe(`${'━'.repeat(12)}${'╌'.repeat(12)} 50%`);
  expect(progressBar({ items: 5 }, { items: 4 })).toBe(`${'━'.repeat(24)} 100%`);
  expect(progressBar({ items: 5 }, undefined)).toBe('');
});
