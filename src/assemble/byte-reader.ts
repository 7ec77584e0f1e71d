const NONE = new Uint8Array(0);

/** Reads a stream of chunks in pieces of the reader's own choice. Holds the stream: `close` it. */
export class ByteReader {
  readonly #stream: AsyncIterator<Uint8Array>;
  /** The stream without its end: to stop reading from it for a while does not close it. */
  readonly #chunks: AsyncIterable<Uint8Array>;
  #chunk: Uint8Array = NONE;
  #produced = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    const stream = chunks[Symbol.asyncIterator]();
    this.#stream = stream;
    this.#chunks = { [Symbol.asyncIterator]: () => ({ next: () => stream.next() }) };
  }

  /** Bytes that the stream has produced, whether taken or not. */
  get produced(): number {
    return this.#produced;
  }

  /** The next `length` bytes; fewer only at the end of the stream. Valid for as long as the caller likes. */
  async take(length: number): Promise<Uint8Array> {
    if (length <= this.#chunk.length) return this.#cut(length);
    const pieces = [this.#cut(this.#chunk.length)];
    let missing = length - (pieces[0]?.length ?? 0);
    for await (const chunk of this.#chunks) {
      this.#hold(chunk);
      const piece = this.#cut(Math.min(missing, chunk.length));
      pieces.push(piece);
      missing -= piece.length;
      if (missing === 0) break;
    }
    return Buffer.concat(pieces);
  }

  /** At least one and at most `most` bytes, as they come; none only at the end of the stream. */
  async takeSome(most: number): Promise<Uint8Array> {
    if (this.#chunk.length > 0) return this.#cut(most);
    for await (const chunk of this.#chunks) {
      this.#hold(chunk);
      if (chunk.length > 0) return this.#cut(most);
    }
    return NONE;
  }

  /** What is left, in blocks of `size` bytes; the last may be shorter. Between two blocks other bytes may be taken. */
  blocks(size: number): AsyncIterable<Uint8Array> {
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const value = await this.take(size);
      return value.length === 0 ? { done: true, value: undefined } : { done: false, value };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /** What is left, in pieces as they come. */
  async *rest(): AsyncGenerator<Uint8Array> {
    yield this.#cut(this.#chunk.length);
    for await (const chunk of this.#chunks) {
      this.#hold(chunk);
      yield this.#cut(chunk.length);
    }
  }

  async close(): Promise<void> {
    await this.#stream.return?.();
  }

  #hold(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#produced += chunk.length;
  }

  #cut(length: number): Uint8Array {
    const piece = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return piece;
  }
}
