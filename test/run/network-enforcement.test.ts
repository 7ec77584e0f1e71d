import { describe, expect, it } from 'vitest';
import { networkEnforcement, type NetworkQuestion } from '../../src/run/network-enforcement.ts';

describe('networkEnforcement()', () => {
  it.each<[NetworkQuestion, string]>([
    [{ tier: 'A', mode: 'none', landlock: 0 }, 'namespace'],
    [{ tier: 'B', mode: 'proxy', landlock: 0 }, 'namespace'],
    [{ tier: 'A', mode: 'host', landlock: 7 }, 'open'],
    [{ tier: 'C', mode: 'none', landlock: 0 }, 'filter'],
    [{ tier: 'C', mode: 'proxy', landlock: 4 }, 'port'],
    [{ tier: 'D', mode: 'proxy', landlock: 3 }, 'impossible'],
    [{ tier: 'C', mode: 'proxy', landlock: 0 }, 'impossible'],
    [{ tier: 'D', mode: 'host', landlock: 0 }, 'open'],
  ])('says what %j comes to', (question, kind) => {
    expect(networkEnforcement(question).kind).toBe(kind);
  });
});
