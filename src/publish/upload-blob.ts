import { createReadStream } from 'node:fs';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Registry, RegistryAnswer } from './registry-client.ts';

/** A file that is to be a blob at a registry. */
export interface LocalBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Absolute path. */
  readonly file: string;
}

export interface Upload extends LocalBlob {
  /** Another repository of the registry that is known to have it. */
  readonly mountFrom: string | undefined;
}

export type UploadResult = 'there' | 'mounted' | 'sent';

/** A piece, where a blob cannot be sent as a whole: small enough for the usual limits of proxies. */
const PIECE_BYTES = 16 * 1024 ** 2;
const MOST_STARTS = 4;
const MOST_FRUITLESS = 4;

/**
 * Has a blob at the registry: nothing is sent that it has, or can take from another repository. Else the blob goes as a whole,
 * and in pieces where that does not get through: those that arrived are not sent again.
 * Throws what `Registry.send` throws. Source: OCI distribution specification 1.1, "Pushing blobs".
 */
export async function uploadBlob(registry: Registry, upload: Upload): Promise<UploadResult> {
  const { repository } = registry.reference;
  const found = await registry.send({
    method: 'HEAD',
    path: `/v2/${repository}/blobs/${upload.digest}`,
    scopes: scopesOf(registry),
    expected: [200, 404],
    action: `push ${repository}`,
  });
  await found.body.dump();
  if (found.status === 200) return 'there';
  return (await sendWhole(registry, upload)) ?? (await sendPieces(registry, upload, MOST_STARTS));
}

export function scopesOf({ reference }: Registry): readonly string[] {
  return [`repository:${reference.repository}:pull,push`];
}

/** Undefined where it did not get through. */
async function sendWhole(registry: Registry, upload: Upload): Promise<UploadResult | undefined> {
  const begun = await begin(registry, upload).catch((error: unknown) => {
    // Whose other repository may not be read can still be sent the bytes.
    const isDenied = error instanceof RootcellarError && error.code === 'E_REGISTRY_DENIED';
    if (!isDenied || upload.mountFrom === undefined) throw error;
    return begin(registry, { ...upload, mountFrom: undefined });
  });
  if (begun === 'mounted') return begun;
  try {
    const answer = await put(registry, upload, { location: begun, from: 0 });
    return answer.status === 201 ? 'sent' : undefined;
  } catch (error) {
    registry.signal.throwIfAborted();
    // Proxies end connections that send too much, or for too long.
    if (error instanceof RootcellarError && error.code === 'E_REGISTRY') return undefined;
    throw error;
  }
}

/** Opens an upload, or has the blob mounted. Returns where to send it. */
async function begin(registry: Registry, { digest, mountFrom }: Upload): Promise<'mounted' | { readonly url: string }> {
  const { repository } = registry.reference;
  const mount =
    mountFrom === undefined ? '' : `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(mountFrom)}`;
  const scopes = mountFrom === undefined ? [] : [`repository:${mountFrom}:pull`];
  const answer = await registry.send({
    method: 'POST',
    path: `/v2/${repository}/blobs/uploads/${mount}`,
    headers: { 'content-length': '0' },
    scopes: [...scopesOf(registry), ...scopes],
    expected: [201, 202],
    action: `push ${repository}`,
  });
  await answer.body.dump();
  return answer.status === 201 && mountFrom !== undefined ? 'mounted' : { url: locationOf(registry, answer) };
}

interface Part {
  readonly location: { readonly url: string };
  /** The bytes from here on. */
  readonly from: number;
}

/** Sends what is left, and closes the upload. */
async function put(
  registry: Registry,
  { digest, size, file }: Upload,
  { location, from }: Part,
): Promise<RegistryAnswer> {
  const url = new URL(location.url);
  url.searchParams.set('digest', digest);
  const answer = await registry.send({
    method: 'PUT',
    path: url.href,
    headers: { 'content-type': 'application/octet-stream', 'content-length': `${size - from}` },
    body: from === size ? undefined : () => createReadStream(file, { start: from }),
    scopes: scopesOf(registry),
    // A session that is over, or a whole that is too large.
    expected: from === 0 && size > 0 ? [201, 404, 413] : [201],
    action: `push ${registry.reference.repository}`,
    // Where it breaks off, pieces are tried, but for closing what has arrived.
    attempts: from === size ? undefined : 1,
  });
  await answer.body.dump();
  return answer;
}

async function sendPieces(registry: Registry, upload: Upload, starts: number): Promise<UploadResult> {
  const begun = await begin(registry, { ...upload, mountFrom: undefined });
  if (begun === 'mounted') throw new Error('unreachable: nothing was to be mounted');
  try {
    await put(registry, upload, await sendAllPieces(registry, upload, begun));
    return 'sent';
  } catch (error) {
    registry.signal.throwIfAborted();
    if (starts <= 1 || !(error instanceof RootcellarError) || error.code !== 'E_REGISTRY') throw error;
  }
  return sendPieces(registry, upload, starts - 1);
}

/** Goes on for as long as some pieces in a row bring more than there has been before. */
async function sendAllPieces(registry: Registry, upload: Upload, location: Part['location']): Promise<Part> {
  let place: Part = { location, from: 0 };
  let furthest = 0;
  let fruitless = 0;
  while (place.from < upload.size) {
    place = await sendPiece(registry, upload, place);
    fruitless = place.from > furthest ? 0 : fruitless + 1;
    furthest = Math.max(furthest, place.from);
    if (fruitless < MOST_FRUITLESS) continue;
    const message = `registry \`${registry.reference.registry}\`: has ${furthest} of ${upload.size} bytes, and takes no more`;
    throw new RootcellarError('E_REGISTRY', message, { hint: 'run it again, or ask whoever runs it' });
  }
  return place;
}

/** What the registry says has arrived decides where it goes on. */
async function sendPiece(registry: Registry, { file, size }: Upload, { location, from }: Part): Promise<Part> {
  const end = Math.min(size, from + PIECE_BYTES) - 1;
  const answer = await registry
    .send({
      method: 'PATCH',
      path: location.url,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': `${end - from + 1}`,
        'content-range': `${from}-${end}`,
      },
      body: () => createReadStream(file, { start: from, end }),
      scopes: scopesOf(registry),
      expected: [202, 416],
      action: `push ${registry.reference.repository}`,
      attempts: 1,
    })
    .catch(async (error: unknown) => {
      registry.signal.throwIfAborted();
      if (!(error instanceof RootcellarError) || error.code !== 'E_REGISTRY') throw error;
      return await askArrived(registry, location.url);
    });
  await answer.body.dump();
  const current = answer.status === 416 ? await askArrived(registry, location.url) : answer;
  if (current !== answer) await current.body.dump();
  return {
    location: { url: locationOf(registry, current, location.url) },
    from: arrivedBytes(current, { size, otherwise: end + 1 }),
  };
}

async function askArrived(registry: Registry, url: string): Promise<RegistryAnswer> {
  return registry.send({
    method: 'GET',
    path: url,
    scopes: scopesOf(registry),
    expected: [204],
    action: `push ${registry.reference.repository}`,
  });
}

/** `Range: 0-N`, the last byte that has arrived. */
function arrivedBytes(
  answer: RegistryAnswer,
  { size, otherwise }: { readonly size: number; readonly otherwise: number },
): number {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header('range') ?? '')?.[1];
  if (last === undefined) return answer.status === 202 ? otherwise : 0;
  // Before the first byte, some say `0-0`.
  const arrived = last === '0' ? 0 : Number(last) + 1;
  return Math.min(size, arrived);
}

function locationOf({ reference }: Registry, answer: RegistryAnswer, otherwise?: string): string {
  const location = answer.header('location') ?? otherwise;
  const url =
    location !== undefined && URL.canParse(location, answer.url.href) ? new URL(location, answer.url) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && answer.url.protocol === 'http:');
  if (url !== undefined && isSafe) return url.href;
  throw new RootcellarError('E_REGISTRY', `registry \`${reference.registry}\`: does not say where to send a blob`, {
    hint: 'ask whoever runs it',
  });
}
