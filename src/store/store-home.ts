import { isAbsolute, join } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';

export interface StoreOwner {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/**
 * Where the store of this user is: `$ROOTCELLAR_HOME`, else `/var/lib/rootcellar` for root, else below the user's data
 * folder as the XDG Base Directory Specification says (which has relative paths ignored).
 * Throws E_USAGE when `ROOTCELLAR_HOME` is relative, or when nothing says where the user's files are.
 */
export function storeHome({ environment, uid }: StoreOwner): string {
  const chosen = environment['ROOTCELLAR_HOME'] ?? '';
  if (chosen !== '') return absolute(chosen);
  if (uid === 0) return '/var/lib/rootcellar';
  const data = environment['XDG_DATA_HOME'] ?? '';
  if (isAbsolute(data)) return join(data, 'rootcellar');
  const home = environment['HOME'] ?? '';
  if (isAbsolute(home)) return join(home, '.local/share/rootcellar');
  throw new RootcellarError('E_USAGE', 'the store: neither `ROOTCELLAR_HOME` nor `HOME` says where it is', {
    hint: 'export ROOTCELLAR_HOME=/absolute/path',
  });
}

function absolute(path: string): string {
  if (isAbsolute(path) && !path.includes('\0')) return join(path);
  throw new RootcellarError('E_USAGE', `\`ROOTCELLAR_HOME\`: must be an absolute path, got \`${path}\``, {
    hint: `export ROOTCELLAR_HOME="$PWD/${path}"`,
  });
}
