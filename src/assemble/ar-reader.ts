import { invalidArtifact, type ByteRange, type ByteSource } from './byte-source.ts';

export interface ArMember extends ByteRange {
  readonly name: string;
}

const MAGIC = '!<arch>\n';
const HEADER = 60;
const MOST_MEMBERS = 16;

/**
 * The members of a .deb's outer archive, in order.
 * E_ARTIFACT_INVALID when it is no `ar`, is truncated, or has more members than any .deb.
 * Source: deb(5); ar(5).
 */
export async function readArMembers(source: ByteSource, archive: string): Promise<readonly ArMember[]> {
  if (source.size < MAGIC.length || (await textAt(source, 0, MAGIC.length)) !== MAGIC) {
    throw invalidArtifact(archive, 'it is not an `ar` archive');
  }
  return await membersFrom(MAGIC.length, { source, archive, left: MOST_MEMBERS });
}

interface ArInput {
  readonly source: ByteSource;
  readonly archive: string;
  /** How many members there may still be. */
  readonly left: number;
}

async function membersFrom(offset: number, { source, archive, left }: ArInput): Promise<readonly ArMember[]> {
  if (offset >= source.size) return [];
  if (offset + HEADER > source.size) throw invalidArtifact(archive, 'it ends too early');
  const member = parseHeader(await textAt(source, offset, HEADER), offset + HEADER);
  if (member === undefined) throw invalidArtifact(archive, `the header at byte ${offset} is malformed`);
  const end = member.offset + member.length;
  if (end > source.size) throw invalidArtifact(archive, `\`${member.name}\` ends too early`);
  if (left === 0) throw invalidArtifact(archive, 'it has too many members');
  return [member, ...(await membersFrom(end + (member.length % 2), { source, archive, left: left - 1 }))];
}

function parseHeader(header: string, offset: number): ArMember | undefined {
  const fields = /^([\w.-]{1,15})\/? *$/.exec(header.slice(0, 16));
  const size = /^(\d{1,10}) *$/.exec(header.slice(48, 58));
  if (fields?.[1] === undefined || size?.[1] === undefined || !header.endsWith('`\n')) return undefined;
  return { name: fields[1], offset, length: Number(size[1]) };
}

async function textAt(source: ByteSource, offset: number, length: number): Promise<string> {
  return Buffer.from(await source.read(offset, length)).toString('latin1');
}
