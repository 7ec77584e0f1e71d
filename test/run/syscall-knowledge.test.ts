import { expect, it } from 'vitest';
import { syscallKnowledge } from '../../src/run/syscall-knowledge.ts';

it('syscallKnowledge() reads numbers by the rules of one architecture, and knows where else they mean something', () => {
  const [amd64, arm64] = [syscallKnowledge('amd64'), syscallKnowledge('arm64')];
  expect([amd64.nameOf(41), arm64.nameOf(41)]).toEqual(['socket', 'pivot_root']);
  expect(arm64.nameOf(334)).toBeUndefined();
  expect(arm64.elsewhere(334)).toEqual({ architecture: 'amd64', name: 'rseq' });
  expect(amd64.elsewhere(9999)).toBeUndefined();
  expect([amd64.isAllowed('clone'), amd64.isAllowed('socket')]).toEqual([true, false]);
  expect(amd64.dangerOf('ptrace')).toContain('other processes');
});
