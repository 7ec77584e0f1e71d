import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import xzDecompress from 'xz-decompress';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { invalidArtifact, piecesOf, type ByteRange, type ByteSource } from './byte-source.ts';
import { isPlainXz } from './xz-index.ts';
import { findXz, runXz } from './xz-process.ts';

/** A compressed stretch of an archive. `name` tells the compressor by its ending. */
export interface CompressedMember {
  readonly source: ByteSource;
  readonly range: ByteRange;
  readonly name: string;
  /** For errors. */
  readonly archive: string;
}

type Chunks = AsyncIterable<Uint8Array>;

/** Below this many bytes our own decoder is done before a process has started. Measured: 1.5 ms against 4 ms. */
const WORTH_A_PROCESS = 128 * 1024;

/**
 * The bytes of a `.gz`, `.xz`, `.zst` or plain member. The whole must be read for the compressor's check to be made.
 * E_ARTIFACT_INVALID when it is damaged or of another kind.
 */
export async function* decompress(member: CompressedMember): AsyncGenerator<Uint8Array> {
  const decoder = DECODERS.get(/\.(?:gz|xz|zst|tar)$/.exec(member.name)?.[0] ?? '');
  if (decoder === undefined) throw invalidArtifact(member.archive, `\`${member.name}\` has an unknown compression`);
  try {
    yield* decoder(member);
  } catch (error) {
    if (error instanceof RootcellarError || isSystemError(error)) throw error;
    throw invalidArtifact(member.archive, `\`${member.name}\` is damaged`, error);
  }
}

const DECODERS: ReadonlyMap<string, (member: CompressedMember) => Chunks> = new Map([
  ['.gz', gunzip],
  ['.xz', unxz],
  ['.zst', unzstd],
  ['.tar', ({ source, range }: CompressedMember): Chunks => piecesOf(source, range)],
]);

async function* gunzip({ source, range }: CompressedMember): AsyncGenerator<Uint8Array> {
  const gunzipped = createGunzip();
  const input = Readable.from(piecesOf(source, range), { objectMode: false });
  input.on('error', (error) => gunzipped.destroy(error));
  yield* input.pipe(gunzipped);
}

async function* unxz({ source, range }: CompressedMember): AsyncGenerator<Uint8Array> {
  const isPlain = await isPlainXz(source, range);
  const program = isPlain && range.length < WORTH_A_PROCESS ? undefined : await findXz();
  if (program === undefined && !isPlain) throw new Error('only the program `xz` can read it, which is not on PATH');
  yield* program === undefined ? unxzHere(piecesOf(source, range)) : runXz(program, piecesOf(source, range));
}

/** By WebAssembly, in this process. */
export async function* unxzHere(chunks: Chunks): AsyncGenerator<Uint8Array> {
  yield* new xzDecompress.XzReadableStream(ReadableStream.from(chunks));
}

async function* unzstd({ source, range }: CompressedMember): AsyncGenerator<Uint8Array> {
  const produced: Uint8Array[] = [];
  let finished = false;
  const decoder = new Decompress((data, final) => {
    produced.push(data);
    finished = final === true;
  });
  for await (const chunk of piecesOf(source, range)) {
    decoder.push(chunk);
    yield* produced.splice(0);
  }
  decoder.push(new Uint8Array(0), true);
  yield* produced.splice(0);
  if (!finished || range.length === 0) throw new Error('the last frame is incomplete');
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
