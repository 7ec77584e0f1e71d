import { stat } from 'node:fs/promises';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { writeError } from '../store/replace-file.ts';

/** Before any work: whether `folder`, which was given by `flag`, is one or can be made, as far as that can be known. Throws E_USAGE. */
export async function checkTargetFolder(folder: string, flag: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw writeError(folder, error);
  }
  throw new RootcellarError('E_USAGE', `${flag}: \`${folder}\` is no folder`, {
    hint: `give ${flag} the path of a folder`,
  });
}
