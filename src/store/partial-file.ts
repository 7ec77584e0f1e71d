import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { ftruncateSync, writeFileSync, writeSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { digestOf, hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { artifactPath } from './artifacts.ts';
import { publish } from './durable-file.ts';
import { diskError, onDisk } from './store-error.ts';
import type { Store } from './store.ts';
import { scrubUrl } from './url-text.ts';

/**
 * The first bytes of an artifact, kept under its digest until the rest comes, be it in another process.
 * Only the holder of the artifact's lock opens it. Writing is synchronous: see `drained` of `download-artifact.ts`.
 */
export class PartialFile {
  /** Bytes that are there. */
  offset = 0;
  readonly #store: Store;
  readonly #digest: Digest;
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');

  private constructor(store: Store, digest: Digest, file: FileHandle) {
    this.#store = store;
    this.#digest = digest;
    this.#file = file;
  }

  /** Reads what is there already. */
  static async open(store: Store, digest: Digest): Promise<PartialFile> {
    const file = await open(store.path('partial', hexOf(digest)), 'a+', 0o644);
    const partial = new PartialFile(store, digest, file);
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
      partial.#hash.update(chunk);
      partial.offset += chunk.length;
    }
    return partial;
  }

  /** What `If-Range` can say to the server of `url`, when the bytes came from there. */
  async validatorFor(url: string): Promise<string | undefined> {
    const [from, validator] = (await readIfThere(this.#validatorPath())).split('\n', 2);
    return from === digestOf(scrubUrl(url)) && validator !== '' ? validator : undefined;
  }

  /** Empties the file: what follows comes from `url`. */
  restart(url: string, validator: string | undefined): void {
    this.#onDisk(() => {
      ftruncateSync(this.#file.fd);
      writeFileSync(this.#validatorPath(), `${digestOf(scrubUrl(url))}\n${validator ?? ''}\n`, { mode: 0o600 });
    });
    this.offset = 0;
    this.#hash = createHash('sha256');
  }

  append(chunk: Uint8Array): void {
    this.#onDisk(() => {
      for (let done = 0; done < chunk.length;) done += writeSync(this.#file.fd, chunk, done);
    });
    this.#hash.update(chunk);
    this.offset += chunk.length;
  }

  /** Digest of all bytes that are there. */
  digest(): Digest {
    return `sha256:${this.#hash.copy().digest('hex')}`;
  }

  /** Makes it the artifact. */
  async publish(): Promise<void> {
    await onDisk(this.#store.home, async () => {
      await this.#file.sync();
      await publish(this.#path(), artifactPath(this.#store, this.#digest));
      await rm(this.#validatorPath(), { force: true });
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #onDisk(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw diskError(this.#store.home, error) ?? error;
    }
  }

  #path(): string {
    return this.#store.path('partial', hexOf(this.#digest));
  }

  #validatorPath(): string {
    return `${this.#path()}.from`;
  }
}

/** Throws away what is there of an artifact that has come otherwise. Only for the holder of its lock. */
export async function removePartial(store: Store, digest: Digest): Promise<void> {
  const path = store.path('partial', hexOf(digest));
  await Promise.all([path, `${path}.from`].map((file) => rm(file, { force: true })));
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
