import type { NetworkMode } from '../../src/recipe/network.ts';
import { describe, expect, it } from 'vitest';
import { lintPolicy, type LintedSettings } from '../../src/run/policy-lint.ts';
import { DANGEROUS_SETS } from '../../src/run/dangerous-sets.ts';
import { PROFILES } from '../../src/run/profiles.ts';
import { syscallNames } from '../../src/run/syscall-tables.ts';

function settings(
  allow: readonly string[],
  more: { deny?: readonly string[]; network?: NetworkMode; profile?: string } = {},
) {
  const { deny = [], network = 'none', profile = 'python' } = more;
  return { syscalls: { profile, allow, deny }, network } satisfies LintedSettings;
}

describe('lintPolicy()', () => {
  it.each([...PROFILES.keys()])('finds nothing in profile %s as it is, nor with harmless additions', (profile) => {
    expect(lintPolicy(settings([], { profile }))).toEqual([]);
    expect(lintPolicy(settings(['flock', '@scheduling', '@subprocess', 'memfd_create'], { profile }))).toEqual([]);
  });

  it('finds a dangerous call by its name, once for both architectures, with what it gives away', () => {
    expect(lintPolicy(settings(['flock', 'ptrace']))).toEqual([
      {
        message: '`ptrace` reads and changes other processes',
        hint: 'leave ptrace out, or run only programs that are trusted',
        word: 'ptrace',
      },
    ]);
  });

  it('names the group that has conditions for a call, or what belongs to it', () => {
    expect(lintPolicy(settings(['clone']))).toMatchObject([{ word: 'clone', hint: 'write "@threads" in its place' }]);
  });

  it('leaves to groups what they are there for', () => {
    expect(lintPolicy(settings(['@network', '@subprocess']))).toEqual([]);
    expect(lintPolicy(settings(['socket']))).toMatchObject([{ word: 'socket', hint: 'write "@network" in its place' }]);
  });

  it('finds calls that only one architecture has', () => {
    expect(lintPolicy(settings(['uselib'])).map(({ word }) => word)).toEqual(['uselib']);
  });

  it('finds nothing in what is denied again', () => {
    expect(lintPolicy(settings(['ptrace'], { deny: ['ptrace'] }))).toEqual([]);
  });

  it('finds calls that are worse together', () => {
    const found = lintPolicy(settings(['unshare', 'mount']));
    expect(found.map(({ message }) => message)).toContain(
      '`unshare` and `mount`: a user namespace of its own gives the privileges that mounting needs: the way of most escapes',
    );
    expect(found).toHaveLength(3);
    expect(lintPolicy(settings(['mount']))).toHaveLength(1);
  });

  it('finds what is dangerous with the host’s network alone', () => {
    const found = lintPolicy(settings([], { profile: 'python-subprocess', network: 'host' }));
    expect(found).toEqual([
      {
        message:
          '`execve` with `network: host`: every program of the image reaches what the host reaches, not only the one that was meant to',
        hint: 'leave out profile python-subprocess or the network',
        word: undefined,
      },
    ]);
    expect(lintPolicy(settings(['@subprocess']))).toEqual([]);
    expect(lintPolicy(settings(['@subprocess'], { network: 'host' }))).toMatchObject([{ word: '@subprocess' }]);
  });

  it('knows real calls only', () => {
    const names = DANGEROUS_SETS.flatMap(({ calls }) => calls.flat());
    expect(names.filter((name) => !syscallNames().includes(name))).toEqual([]);
  });
});
