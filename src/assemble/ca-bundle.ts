import { byteOrder } from '../base/byte-order.ts';
import type { GeneratedEntry } from './base-files.ts';
import type { Contents, FileEntry, Tree } from './tree.ts';

const FOLDERS: readonly string[] = ['usr/local/share/ca-certificates/', 'usr/share/ca-certificates/'];
const BUNDLE = 'etc/ssl/certs/ca-certificates.crt';

/**
 * The file of all certificates that the image trusts, where it is not there already, and the link by which OpenSSL finds it;
 * nothing when the image has no certificates. Certificates in byte order of path, each ended by a line feed, as `update-ca-certificates` joins them.
 */
export function caBundle(tree: Tree, contents: Contents): readonly GeneratedEntry[] {
  const certificates = [...tree.values()]
    .filter((entry): entry is FileEntry => entry.kind === 'file' && isCertificate(entry.path))
    .toSorted((a, b) => byteOrder(a.path, b.path));
  const link: GeneratedEntry = { kind: 'symlink', path: 'usr/lib/ssl/cert.pem', target: `/${BUNDLE}` };
  if (certificates.length === 0) return tree.has(BUNDLE) ? [link] : [];
  const content = Buffer.concat(certificates.flatMap((entry) => lines(entry, contents)));
  return [{ kind: 'file', path: BUNDLE, mode: 0o644, content }, link];
}

function isCertificate(path: string): boolean {
  return path.endsWith('.crt') && FOLDERS.some((folder) => path.startsWith(folder));
}

function lines({ digest, size }: FileEntry, contents: Contents): readonly Uint8Array[] {
  // A chunk is valid only until the next one is asked for, so each is copied.
  const chunks = Array.from(contents.chunks(digest, size), (chunk) => Uint8Array.from(chunk));
  const isEnded = chunks.at(-1)?.at(-1) === 0x0a;
  return isEnded ? chunks : [...chunks, Buffer.from('\n')];
}
