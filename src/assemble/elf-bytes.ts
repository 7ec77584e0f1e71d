import type { ReadAt } from './tree.ts';

/** The bytes of an ELF file at any place, as a DataView gives them. Nothing is asked for beyond `byteLength`. */
export interface ElfBytes {
  readonly byteLength: number;
  getUint8(at: number): number;
  getUint16(at: number, littleEndian: boolean): number;
  getUint32(at: number, littleEndian: boolean): number;
  bytes(at: number, length: number): Uint8Array;
}

export function memoryBytes(content: Uint8Array): ElfBytes {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  return {
    byteLength: view.byteLength,
    getUint8: (at) => view.getUint8(at),
    getUint16: (at, littleEndian) => view.getUint16(at, littleEndian),
    getUint32: (at, littleEndian) => view.getUint32(at, littleEndian),
    bytes: (at, length) => content.subarray(at, at + length),
  };
}

const WINDOW_BYTES = 64 * 1024;

/** The bytes of a file that is not in memory: one window of it at a time is, as tables are read from front to back. */
export function windowBytes(readAt: ReadAt, byteLength: number): ElfBytes {
  let start = 0;
  let window: DataView = new DataView(new ArrayBuffer(0));
  const windowAt = (at: number, length: number): DataView => {
    if (at < start || at + length > start + window.byteLength) {
      start = at;
      const { buffer, byteOffset, length: size } = readAt(at, Math.min(WINDOW_BYTES, byteLength - at));
      window = new DataView(buffer, byteOffset, size);
    }
    return window;
  };
  return {
    byteLength,
    getUint8: (at) => windowAt(at, 1).getUint8(at - start),
    getUint16: (at, littleEndian) => windowAt(at, 2).getUint16(at - start, littleEndian),
    getUint32: (at, littleEndian) => windowAt(at, 4).getUint32(at - start, littleEndian),
    bytes: readAt,
  };
}
