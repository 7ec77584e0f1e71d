import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { errorName, signalName } from '../../src/run/kernel-names.ts';

describe('signalName()', () => {
  it('agrees with this machine', () => {
    const aliases = new Set(['SIGIOT', 'SIGPOLL', 'SIGUNUSED']);
    const named = Object.entries(constants.signals).filter(([name]) => !aliases.has(name));
    expect(named.length).toBeGreaterThan(28);
    for (const [name, number] of named) expect(signalName(number)).toBe(name);
    expect(signalName(40)).toBe('SIG40');
  });
});

describe('errorName()', () => {
  it('agrees with this machine', () => {
    const aliases = new Set(['ENOTSUP', 'EWOULDBLOCK']);
    const known = Object.entries(constants.errno).filter(
      ([name, number]) => !aliases.has(name) && !errorName(number).startsWith('errno '),
    );
    expect(known.length).toBeGreaterThan(25);
    for (const [name, number] of known) expect(errorName(number)).toBe(name);
    expect(errorName(200)).toBe('errno 200');
  });
});
