import { RootcellarError } from '../base/rootcellar-error.ts';
import type { LocatedArtifact } from '../resolve/resolution.ts';
import { scrubUrl } from './url-text.ts';

/** Why one address did not give an artifact. */
export type Failure =
  | { readonly kind: 'gone' | 'refused'; readonly url: string; readonly detail: string }
  | {
      readonly kind: 'transient';
      readonly url: string;
      readonly detail: string;
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly kind: 'mismatch'; readonly url: string; readonly expected: string; readonly got: string };

/**
 * One error for all addresses of an artifact: wrong bytes weigh more than missing ones, and it is only gone when every
 * address says so.
 */
export function downloadError(artifact: LocatedArtifact['artifact'], failures: readonly Failure[]): RootcellarError {
  const what = artifactTitle(artifact);
  const mismatch = failures.find((failure) => failure.kind === 'mismatch');
  if (mismatch !== undefined) {
    const { url, expected, got } = mismatch;
    return new RootcellarError(
      'E_DIGEST_MISMATCH',
      `${what}: expected ${expected}, got ${got} from \`${scrubUrl(url)}\``,
      { hint: `rootcellar lock --upgrade-package ${artifact.name}, if the new bytes are to be trusted` },
    );
  }
  if (failures.length === 0) {
    return new RootcellarError('E_DOWNLOAD', `${what}: nothing on this machine says where it is`, {
      hint: 'configure the index or archive that the recipe uses',
    });
  }
  const tried = failures.map((failure) => `\`${scrubUrl(failure.url)}\` (${detailOf(failure)})`).join(', ');
  if (failures.every(({ kind }) => kind === 'gone')) {
    return new RootcellarError('E_DOWNLOAD_GONE', `${what}: is not there any more: ${tried}`, {
      hint: `rootcellar lock --upgrade-package ${artifact.name}`,
    });
  }
  return new RootcellarError('E_DOWNLOAD', `${what}: could not be downloaded: ${tried}`, { hint: hintFor(failures) });
}

/** What kind of file it is, and its name. */
export function artifactTitle(artifact: LocatedArtifact['artifact']): string {
  return `${artifact.kind} \`${fileName(artifact)}\``;
}

function fileName(artifact: LocatedArtifact['artifact']): string {
  return artifact.kind === 'deb' ? artifact.path.slice(artifact.path.lastIndexOf('/') + 1) : artifact.file;
}

function detailOf(failure: Failure): string {
  return failure.kind === 'mismatch' ? `expected ${failure.expected}, got ${failure.got}` : failure.detail;
}

function hintFor(failures: readonly Failure[]): string {
  const isForbidden = failures.some((failure) => / 40[137]$/.test(detailOf(failure)));
  return isForbidden
    ? 'give credentials for the index in its own settings or in ~/.netrc'
    : 'run it again: what has come is kept';
}
