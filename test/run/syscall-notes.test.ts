import { describe, expect, it } from 'vitest';
import { DANGEROUS_CALLS } from '../../src/run/dangerous-calls.ts';
import { notedSyscalls, syscallNote } from '../../src/run/syscall-notes.ts';
import { SYSCALL_NOTES } from '../../src/run/syscall-note-table.ts';
import { syscallNames } from '../../src/run/syscall-tables.ts';

describe('syscallNote()', () => {
  it('knows real calls only, each once', () => {
    const rows = SYSCALL_NOTES.trim().split('\n\n');
    const names = rows.flatMap((row) => row.split('\n')[0]?.split(' ') ?? []);
    expect(names.filter((name) => !syscallNames().includes(name))).toEqual([]);
    expect(names).toEqual(notedSyscalls());
    expect(names.length).toBeGreaterThan(200);
  });

  it('says of every dangerous call what it risks', () => {
    const silent = [...DANGEROUS_CALLS.keys()].filter((name) => syscallNote(name)?.risk === undefined);
    expect(silent).toEqual([]);
  });

  it('keeps to one line of a terminal or two', () => {
    const long = SYSCALL_NOTES.split('\n').filter((line) => line.length > 120);
    expect(long).toEqual([]);
  });

  it('says who needs a call, and what it risks where it risks something', () => {
    expect(syscallNote('clone3')?.users).toContain('glibc 2.34');
    expect(syscallNote('futex')?.risk).toBeUndefined();
    expect(syscallNote('read')).toBeUndefined();
  });
});
