import { basename } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { Program } from '../program-words.ts';

/** Bytes: of a program, and of stdin where it is kept in memory. */
export const LARGEST_INPUT: number = 32 * 1024 ** 2;

/** A program from a file of this machine. Throws E_PROGRAM_NOT_FOUND. */
export async function readProgram(path: string): Promise<Program> {
  const result = await readBoundedFile(path, LARGEST_INPUT);
  if (result.kind === 'content') return { kind: 'file', file: { name: basename(path), content: result.content } };
  const fault = result.kind === 'missing' ? 'there is no such file' : result.fault;
  throw new RootcellarError('E_PROGRAM_NOT_FOUND', `${quotedWord(path)}: ${fault}`, {
    hint: 'rootcellar run IMAGE -- FILE takes a file of this machine; rootcellar run IMAGE -c CODE takes text',
  });
}
