import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';

/** Of a file that is read whole to be known: ours have some KiB. */
const LARGEST = 1024 ** 2;

/**
 * What an earlier `schedule install` has written to `path`, known by the line `mark` at its beginning; undefined where nothing
 * is. Throws E_USAGE where something else is, which must stay.
 */
export async function ownFile(path: string, mark: string): Promise<Uint8Array | undefined> {
  const read = await readBoundedFile(path, LARGEST);
  if (read.kind === 'missing') return undefined;
  if (read.kind === 'content' && Buffer.from(read.content).toString('utf8').startsWith(mark)) return read.content;
  const fault = read.kind === 'refused' ? read.fault : 'was not written by `schedule install`';
  throw new RootcellarError('E_USAGE', `\`${path}\`: ${fault}`, {
    hint: `mv ${shellWord(path)} ${shellWord(`${path}.old`)}`,
  });
}
