/** A frame as the launcher would send it, or as it never would. */
export function frame(kind: number, parts: Partial<FrameParts> = {}): Buffer {
  const { request = 0, detail = 0, name = '', content = '', nameLength, contentLength } = parts;
  const [nameBytes, contentBytes] = [Buffer.from(name), Buffer.from(content)];
  const header = Buffer.alloc(24);
  header.writeUInt32LE(kind, 0);
  header.writeUInt32LE(request, 4);
  header.writeUInt32LE(detail, 8);
  header.writeUInt32LE(nameLength ?? nameBytes.length, 12);
  header.writeBigUInt64LE(contentLength ?? BigInt(contentBytes.length), 16);
  return Buffer.concat([header, nameBytes, contentBytes]);
}

interface FrameParts {
  readonly request: number;
  readonly detail: number;
  readonly name: string | Buffer;
  readonly content: string | Buffer;
  /** Other lengths than those that are true. */
  readonly nameLength: number;
  readonly contentLength: bigint;
}

export const [FOLDER, FILE, DATA, END, FAULT, DONE] = [1, 2, 3, 4, 5, 6] as const;
