import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeShimHost, removeShimHost, SHIM_PROGRAMS } from '../native/shim-host.ts';

it('confines 10 000 processes by the shim, and none fails', () => {
  const host = makeShimHost();
  const words = [join(SHIM_PROGRAMS, 'shim-forks.py'), host.shims.own, host.root, '10000'];
  const endings = execFileSync('/usr/bin/python3', words, { encoding: 'utf8' });
  removeShimHost(host);
  expect(endings).toBe('0:10000\n');
});
