import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diskError } from '../../src/cli/disk-error.ts';

function thrown(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('diskError()', () => {
  it('tells what a path is wrong with', () => {
    const long = `/tmp/${'n'.repeat(300)}`;
    expect(diskError(thrown(() => writeFileSync(long, '')))).toMatchObject({
      code: 'E_USAGE',
      message: `\`${long}\`: is too long a name`,
    });
    expect(diskError(thrown(() => mkdirSync('/etc/passwd/x')))).toMatchObject({
      message: '`/etc/passwd/x`: leads through a file',
    });
  });

  it('leaves what is a fault of ours', () => {
    for (const error of [thrown(() => readFileSync('/no/such')), new TypeError('x'), 'text', undefined]) {
      expect(diskError(error)).toBe(error);
    }
  });
});
