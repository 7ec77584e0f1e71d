/** What a made-up ELF file shall say; everything has a default. */
export interface ElfDescription {
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly machine?: number;
  readonly type?: number;
  readonly dynamic?: boolean;
  readonly interpreter?: string;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly rpath?: string;
  readonly runpath?: string;
  readonly versionsNeeded?: Readonly<Record<string, readonly string[]>>;
  readonly versionsDefined?: readonly string[];
  readonly flags1?: number;
  readonly filter?: string;
  readonly auxiliary?: string;
  /** Of `versionsNeeded`, those that are weak. */
  readonly weakVersions?: readonly string[];
  /** Overrides DT_VERNEEDNUM. */
  readonly versionsNeededCount?: number;
  /** Overrides the distance between two records of needed versions. */
  readonly versionStep?: number;
}

/** Addresses differ from offsets, as in most real files. */
const BASE = 0x10000;

/** A small ELF file: header, three segments (load, dynamic, interpreter), string table, version records, dynamic table. */
export function elfFile(description: ElfDescription): Buffer {
  const { bits = 64, littleEndian = true } = description;
  const strings = stringTable();
  const needed = (description.needed ?? []).map((name) => [1, strings.add(name)] as const);
  const body: Buffer[] = [];
  const headers = bits === 64 ? 64 + 3 * 56 : 52 + 3 * 32;
  let end = headers;
  const append = (part: Buffer): number => {
    body.push(part);
    end += part.length;
    return end - part.length;
  };
  const encode = (values: readonly (readonly [bytes: 1 | 2 | 4 | 8, value: number])[]): Buffer =>
    Buffer.concat(values.map(([bytes, value]) => number(value, bytes, littleEndian)));

  const verneed = Object.entries(description.versionsNeeded ?? {}).map(([library, names], index, all) => {
    const size = 16 + 16 * names.length;
    const last = index === all.length - 1;
    const step = description.versionStep ?? (last ? 0 : size);
    const aux = names.map((name, position) =>
      encode([
        [4, 0],
        [2, description.weakVersions?.includes(name) ? 2 : 0],
        [2, 0],
        [4, strings.add(name)],
        [4, position === names.length - 1 ? 0 : 16],
      ]),
    );
    return Buffer.concat([
      encode([
        [2, 1],
        [2, names.length],
        [4, strings.add(library)],
        [4, 16],
        [4, step],
      ]),
      ...aux,
    ]);
  });
  const definitions = description.versionsDefined === undefined ? [] : ['base', ...description.versionsDefined];
  const verdef = definitions.map((name, index) =>
    encode([
      [2, 1],
      [2, index === 0 ? 1 : 0],
      [2, index + 1],
      [2, 1],
      [4, 0],
      [4, 20],
      [4, index === definitions.length - 1 ? 0 : 28],
      [4, strings.add(name)],
      [4, 0],
    ]),
  );
  const entries: (readonly [tag: number, value: number])[] = [...needed];
  const text = (tag: number, value: string | undefined): void => {
    if (value !== undefined) entries.push([tag, strings.add(value)]);
  };
  text(14, description.soname);
  text(15, description.rpath);
  text(29, description.runpath);
  text(0x7fffffff, description.filter);
  text(0x7ffffffd, description.auxiliary);
  if (description.flags1 !== undefined) entries.push([0x6ffffffb, description.flags1]);
  if (verneed.length > 0) {
    entries.push([0x6ffffffe, BASE + append(Buffer.concat(verneed))]);
    entries.push([0x6fffffff, description.versionsNeededCount ?? verneed.length]);
  }
  if (verdef.length > 0) {
    entries.push([0x6ffffffc, BASE + append(Buffer.concat(verdef))], [0x6ffffffd, verdef.length]);
  }
  const interpreter = Buffer.from(`${description.interpreter ?? ''}\0`);
  const interpreterAt = append(interpreter);
  const table = strings.bytes();
  entries.push([5, BASE + append(table)], [10, table.length], [0, 0]);
  const word = bits === 64 ? 8 : 4;
  const dynamic = encode(
    entries.flatMap(
      ([tag, value]) =>
        [
          [word, tag],
          [word, value],
        ] as const,
    ),
  );
  const dynamicAt = append(dynamic);

  const segment = (type: number, at: number, size: number): Buffer =>
    bits === 64
      ? encode([
          [4, type],
          [4, 4],
          [8, at],
          [8, BASE + at],
          [8, 0],
          [8, size],
          [8, size],
          [8, 8],
        ])
      : encode([
          [4, type],
          [4, at],
          [4, BASE + at],
          [4, 0],
          [4, size],
          [4, size],
          [4, 4],
          [4, 4],
        ]);
  const unused = segment(0, 0, 0);
  return Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, littleEndian ? 1 : 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    encode([
      [2, description.type ?? 3],
      [2, description.machine ?? 62],
      [4, 1],
      [word, 0],
    ]),
    encode([
      [word, bits === 64 ? 64 : 52],
      [word, 0],
      [4, 0],
      [2, bits === 64 ? 64 : 52],
    ]),
    encode([
      [2, bits === 64 ? 56 : 32],
      [2, 3],
      [2, 0],
      [2, 0],
      [2, 0],
    ]),
    segment(1, 0, end),
    description.dynamic === false ? unused : segment(2, dynamicAt, dynamic.length),
    description.interpreter === undefined ? unused : segment(3, interpreterAt, interpreter.length),
    ...body,
  ]);
}

function number(value: number, bytes: 1 | 2 | 4 | 8, littleEndian: boolean): Uint8Array {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  const short = buffer.subarray(0, bytes);
  return littleEndian ? short : short.toReversed();
}

function stringTable(): { add: (text: string) => number; bytes: () => Buffer } {
  const parts = [Buffer.alloc(1)];
  let size = 1;
  const known = new Map<string, number>();
  return {
    add: (text) => {
      const at = known.get(text);
      if (at !== undefined) return at;
      const part = Buffer.from(`${text}\0`);
      parts.push(part);
      size += part.length;
      known.set(text, size - part.length);
      return size - part.length;
    },
    bytes: () => Buffer.concat(parts),
  };
}
