import type { Artifact, Interpreter } from '../resolve/resolution.ts';
import type { ByteSource } from './byte-source.ts';
import { unpackDeb } from './deb-reader.ts';
import type { ContentSink, UnpackedArtifact } from './tree.ts';
import { installWheel } from './wheel-installer.ts';

export interface UnpackInput {
  readonly artifact: Artifact;
  /** The bytes that the artifact's digest speaks of: whoever gives them has checked that. */
  readonly source: ByteSource;
  /** Where a wheel is to go; a .deb needs none. */
  readonly interpreter: Interpreter | undefined;
  readonly sink: ContentSink;
}

/**
 * Unpacks an artifact to where an image has its files; contents go to the sink one after another, in an order that
 * depends on the artifact alone. E_ARTIFACT_INVALID: malformed, hostile, or not what was locked.
 */
export async function unpackArtifact({ artifact, source, interpreter, sink }: UnpackInput): Promise<UnpackedArtifact> {
  if (artifact.kind === 'deb') return await unpackDeb({ artifact, source, sink });
  if (interpreter === undefined) throw new Error(`unreachable: ${artifact.file} for an image without Python`);
  return await installWheel({ artifact, source, interpreter, sink });
}
