import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { geteuid } from 'node:process';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';

/**
 * Throws E_STORE_INVALID when a folder of the store at `home` is a link: what is swept there would go elsewhere. Root also
 * refuses folders of another user, who could put links in them at any moment, and who could not use what root makes there.
 * The home itself may be reached by a link, and be in a folder of anybody's. `trusted`: another user of whom root takes folders.
 */
export function checkOwnFolders(home: string, names: readonly string[], trusted = 0): void {
  for (const name of names) {
    const path = join(home, name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status?.isSymbolicLink() === true) {
      throw new RootcellarError('E_STORE_INVALID', `\`${path}\`: is a link, and no folder of the store`, {
        hint: `rm ${shellWord(path)}, and mount what is to be there`,
      });
    }
    if (status !== undefined && geteuid?.() === 0 && ![0, trusted].includes(status.uid)) {
      throw new RootcellarError('E_STORE_INVALID', `store \`${home}\`: is of the user ${status.uid}, and not of root`, {
        hint: `sudo -u '#${status.uid}' rootcellar, or export ROOTCELLAR_HOME=/var/lib/rootcellar`,
      });
    }
  }
}
