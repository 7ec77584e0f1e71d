import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { tmpNames, tmpPathText } from './tmp-path.ts';

/** A file or folder for the cell's /tmp. */
export interface InputEntry {
  /** Relative to /tmp, or absolute beneath it. */
  readonly path: string;
  /** Where its bytes are; undefined for a folder. */
  readonly content: InputContent | undefined;
  readonly isExecutable: boolean;
}

/** Bytes, or the first `size` bytes of a file of this machine. */
export type InputContent = Uint8Array | { readonly file: string; readonly size: number };

/** The same, as the launcher places it: a folder comes before what is in it. */
export interface PlacedFile {
  /** Relative to /tmp; `.` for /tmp itself. */
  readonly folder: string;
  readonly name: string;
  readonly mode: 0o644 | 0o755;
  /** Undefined for a folder. */
  readonly content: InputContent | undefined;
}

/** The launcher's; native/plan.h. */
export const MOST_INPUTS = 4096;
/** What a tmpfs gives to a file at a time. */
const PAGE = 4096;

/**
 * Puts entries in the order in which they can be made, with the folders that they need. Throws E_USAGE for a path that no
 * entry can have, for two entries in one place, and for more than /tmp holds.
 */
export function placeInputs(entries: readonly InputEntry[], tmpBytes: number): readonly PlacedFile[] {
  const placed = new Map<string, PlacedFile>();
  for (const { path, content, isExecutable } of entries) {
    const names = tmpNames('file', path);
    for (let depth = 1; depth < names.length; depth += 1) addFolder(placed, names.slice(0, depth));
    if (content === undefined) addFolder(placed, names);
    else addFile(placed, names, { content, mode: isExecutable ? 0o755 : 0o644 });
    if (placed.size > MOST_INPUTS) {
      throw new RootcellarError(
        'E_USAGE',
        `files: more than ${MOST_INPUTS} files and folders are too many for one run`,
        {
          hint: 'pack them into an archive, or put them into the image',
        },
      );
    }
  }
  checkSize([...placed.values()], tmpBytes);
  return [...placed.values()];
}

export function contentSize(content: InputContent | undefined): number {
  if (content === undefined) return 0;
  return content instanceof Uint8Array ? content.length : content.size;
}

function addFolder(placed: Map<string, PlacedFile>, names: readonly string[]): void {
  const name = names.at(-1);
  if (name === undefined) return;
  const key = tmpPathText(names);
  const there = placed.get(key);
  if (there?.content !== undefined) throw conflict(key, 'would be a file and a folder');
  if (there === undefined)
    placed.set(key, { folder: tmpPathText(names.slice(0, -1)), name, mode: 0o755, content: undefined });
}

function addFile(
  placed: Map<string, PlacedFile>,
  names: readonly string[],
  file: Pick<PlacedFile, 'content' | 'mode'>,
): void {
  const name = names.at(-1);
  const key = tmpPathText(names);
  if (name === undefined) throw conflict('/tmp', 'is a folder');
  const there = placed.get(key);
  if (there !== undefined)
    throw conflict(key, there.content === undefined ? 'would be a file and a folder' : 'is there twice');
  placed.set(key, { folder: tmpPathText(names.slice(0, -1)), name, ...file });
}

function conflict(path: string, fault: string): RootcellarError {
  return new RootcellarError('E_USAGE', `file: ${quotedWord(path)} ${fault}`, {
    hint: 'give each file a place of its own: --file LOCAL:PATH',
  });
}

function checkSize(placed: readonly PlacedFile[], tmpBytes: number): void {
  const pages = placed.reduce((sum, { content }) => sum + Math.ceil(contentSize(content) / PAGE), 0);
  if (pages * PAGE <= tmpBytes) return;
  const message = `files: ${pages * PAGE} bytes are more than the ${formatSize(tmpBytes)} that /tmp holds`;
  throw new RootcellarError('E_USAGE', message, {
    hint: 'allow more, such as --limit tmp=1GiB, or put them into the image',
  });
}
