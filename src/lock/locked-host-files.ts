import { z } from 'zod';
import { byteOrder } from '../base/byte-order.ts';
import type { HostContent, HostFile } from '../resolve/resolution.ts';
import { absolutePath, digest, line, natural } from './lockfile-values.ts';

/** In byte order, however the lockfile has them. */
export function hostContent(files: readonly HostFile[], folders: readonly string[]): HostContent {
  return { files: files.toSorted((a, b) => byteOrder(a.path, b.path)), folders: folders.toSorted(byteOrder) };
}

export function hostFile(): z.ZodType<HostFile> {
  const path = absolutePath();
  return z.discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('file'),
        path,
        mode: z.enum(['0644', '0755']),
        size: natural(),
        digest: digest(),
      })
      .transform(({ mode, ...rest }): HostFile => ({ ...rest, mode: Number.parseInt(mode, 8) })),
    z.strictObject({ kind: z.literal('link'), path, target: line() }),
    z.strictObject({ kind: z.literal('folder'), path }),
    z.strictObject({ kind: z.literal('left_out'), path }),
  ]);
}

export function refuseRepeatedPath(files: readonly { readonly path: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  const repeated = files.findIndex(({ path }) => seen.size === seen.add(path).size);
  if (repeated < 0) return;
  context.addIssue({ code: 'custom', path: [repeated, 'path'], message: 'is there twice' });
}
