import { SYSCALL_NOTES } from './syscall-note-table.ts';

/** What people should know before they allow a system call. */
export interface SyscallNote {
  /** Programs and libraries that are known to make the call, and what they do with it or without it. */
  readonly users: string;
  /** What allowing it gives away; undefined when nothing that reaches beyond the cell. */
  readonly risk: string | undefined;
}

const ROWS: ReadonlyMap<string, SyscallNote> = new Map(SYSCALL_NOTES.trim().split('\n\n').flatMap(readRow));

/** What is known about a call; undefined for one that hardly anybody meets. */
export function syscallNote(name: string): SyscallNote | undefined {
  return ROWS.get(name);
}

/** Every call with a note. */
export function notedSyscalls(): readonly string[] {
  return [...ROWS.keys()];
}

function readRow(text: string): readonly (readonly [string, SyscallNote])[] {
  const [names, users, risk, ...more] = text.split('\n');
  if (names === undefined || users === undefined || risk === undefined || more.length > 0) {
    throw new Error(`unreachable: a note of ${text.split('\n').length} lines: ${names}`);
  }
  const note = { users, risk: risk === '-' ? undefined : risk };
  return names.split(' ').map((name) => [name, note] as const);
}
