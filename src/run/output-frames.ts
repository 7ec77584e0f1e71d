/** What the launcher sends of the files that a run leaves; format: native/frames.h. Names and contents are the guest's. */
export type OutputFrame =
  | { readonly kind: 'folder' | 'file'; readonly request: number; readonly mode: number; readonly name: Buffer }
  | { readonly kind: 'data'; readonly request: number; readonly content: Buffer }
  | { readonly kind: 'end'; readonly request: number }
  | { readonly kind: 'fault'; readonly request: number; readonly fault: FrameFault; readonly name: Buffer }
  | { readonly kind: 'done' };

/** In the order of `enum frame_fault`, from 1. */
const FAULTS = [
  'missing',
  'symlink',
  'not-a-file',
  'too-large',
  'too-many',
  'too-deep',
  'outside',
  'unreadable',
] as const;

export type FrameFault = (typeof FAULTS)[number];

const HEADER = 24;
const LONGEST_NAME = 4095;
const LONGEST_CONTENT = 65_536;
const LARGEST_MODE = 0o7777;
/** In the order of `enum frame_kind`, from 1. */
const KINDS = ['folder', 'file', 'data', 'end', 'fault', 'done'] as const;

export interface DecodedFrames {
  readonly frames: readonly OutputFrame[];
  /** The beginning of a frame that is not whole yet; below 70 KiB. */
  readonly rest: Buffer;
}

/**
 * All whole frames at the beginning of `bytes`; what they hold points into it. Throws on what the launcher cannot have
 * written.
 */
export function decodeFrames(bytes: Buffer): DecodedFrames {
  const frames: OutputFrame[] = [];
  let rest = bytes;
  while (rest.length >= HEADER) {
    const nameLength = rest.readUInt32LE(12);
    const contentLength = rest.readBigUInt64LE(16);
    if (nameLength > LONGEST_NAME || contentLength > LONGEST_CONTENT) throw malformed('length');
    const length = HEADER + nameLength + Number(contentLength);
    if (rest.length < length) break;
    frames.push(frameOf(rest.subarray(0, length), nameLength));
    rest = rest.subarray(length);
  }
  return { frames, rest };
}

function frameOf(bytes: Buffer, nameLength: number): OutputFrame {
  const kind = KINDS[bytes.readUInt32LE(0) - 1];
  const request = bytes.readUInt32LE(4);
  const detail = bytes.readUInt32LE(8);
  const name = bytes.subarray(HEADER, HEADER + nameLength);
  const content = bytes.subarray(HEADER + nameLength);
  if (kind === undefined || (content.length > 0 && kind !== 'data')) throw malformed('kind');
  if (!isPath(name)) throw malformed('name');
  switch (kind) {
    case 'folder':
    case 'file':
      if (detail > LARGEST_MODE) throw malformed('mode');
      return { kind, request, mode: detail, name };
    case 'data':
      return { kind, request, content };
    case 'fault':
      return { kind, request, fault: faultOf(detail), name };
    case 'end':
      return { kind, request };
    case 'done':
      return { kind };
  }
}

function faultOf(number: number): FrameFault {
  const fault = FAULTS[number - 1];
  if (fault === undefined) throw malformed('fault');
  return fault;
}

/** Names of one file each between slashes, or nothing: never absolute, never leading up. */
function isPath(name: Buffer): boolean {
  if (name.length === 0) return true;
  if (name.includes(0)) return false;
  return name
    .toString('latin1')
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..' && part.length <= 255);
}

function malformed(part: string): Error {
  return new Error(`unreachable: \`cell\` sent a frame whose ${part} is wrong`);
}
