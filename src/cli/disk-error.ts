import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';

/** By names of errno(3): what users can cause with whatever path they give, or have. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['ENAMETOOLONG', 'is too long a name'],
  ['ENOTDIR', 'leads through a file'],
  ['ELOOP', 'leads through links in a circle'],
  ['EACCES', 'may not be used by this user'],
  ['EPERM', 'may not be used by this user'],
  ['EROFS', 'lies on a read-only file system'],
]);

/**
 * What the disk says of a path, as an error for people, wherever no stage has said it better; anything else is given back.
 */
export function diskError(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('path' in error) || typeof error.path !== 'string')
    return error;
  const { path, code } = error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const hint = `df -h ${shellWord(path)}, and free space`;
    return new RootcellarError('E_DISK_FULL', `\`${path}\`: no space is left for it`, { hint, cause: error });
  }
  const fault = FAULTS.get(String(code));
  if (fault === undefined) return error;
  return new RootcellarError('E_USAGE', `\`${path}\`: ${fault}`, { hint: 'give another path', cause: error });
}
