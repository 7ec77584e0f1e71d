import type { Digest } from '../base/digest.ts';
import type { GeneratedEntry } from './base-files.ts';
import type { Contents, ContentSink, Entry, Tree } from './tree.ts';

/** Turns what is generated into entries, and keeps its contents at hand: a sink need not give back what it has got. */
export interface Generator {
  /** For root, with the image's epoch as their time. A copy whose file is not in `tree` is left out. */
  entriesOf(generated: readonly GeneratedEntry[], tree: Tree): Promise<readonly Entry[]>;
  /** Those of the packages and everything that has been generated. */
  readonly contents: Contents;
}

export interface GeneratorOptions {
  /** Of the packages. */
  readonly contents: Contents;
  readonly sink: ContentSink;
  /** Seconds since 1970. */
  readonly epoch: number;
}

export function entryGenerator({ contents, sink, epoch }: GeneratorOptions): Generator {
  const written = new Map<Digest, Uint8Array>();
  const fileOf = async (generated: GeneratedFile): Promise<Entry> => {
    const content = Buffer.from(generated.content);
    const { digest, size } = await sink.write([content]);
    written.set(digest, content);
    return { kind: 'file', ...facts(generated, epoch), mode: generated.mode, digest, size };
  };
  return {
    entriesOf: async (generated, tree) => {
      const entries: Entry[] = [];
      for (const one of generated) {
        const entry = one.kind === 'file' ? await fileOf(one) : entryOf(one, { tree, epoch });
        if (entry !== undefined) entries.push(entry);
      }
      return entries;
    },
    contents: {
      chunks: (digest, size) => {
        const content = written.get(digest);
        return content === undefined ? contents.chunks(digest, size) : [content];
      },
    },
  };
}

type GeneratedFile = Extract<GeneratedEntry, { readonly kind: 'file' }>;
type Facts = Pick<Entry, 'path' | 'uid' | 'gid' | 'mtime' | 'origin'>;

function entryOf(
  generated: Exclude<GeneratedEntry, GeneratedFile>,
  { tree, epoch }: { readonly tree: Tree; readonly epoch: number },
): Entry | undefined {
  const common = facts(generated, epoch);
  if (generated.kind === 'directory') return { kind: 'directory', ...common, mode: generated.mode };
  if (generated.kind === 'symlink') return { kind: 'symlink', ...common, mode: 0o777, target: generated.target };
  const source = tree.get(generated.from);
  return source?.kind === 'file' ? { ...source, ...common } : undefined;
}

function facts({ path }: GeneratedEntry, epoch: number): Facts {
  return { path, uid: 0, gid: 0, mtime: epoch, origin: 'rootcellar' };
}
