import { byteOrder } from '../base/byte-order.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf } from '../base/digest.ts';
import { hostFileJson } from '../lock/lockfile-text.ts';
import type { HostContent, HostFile, HostPart } from '../resolve/resolution.ts';

const MACHINE = 'this machine';

/**
 * The locked files of this machine as a few parts, each of which is kept and compiled by itself: one for each folder that
 * was taken whole, and one for the rest. So a new package leaves the standard library as it is.
 */
export function hostParts({ files, folders }: HostContent): readonly HostPart[] {
  const nearestFirst = folders.toSorted((a, b) => b.length - a.length || byteOrder(a, b));
  const parts = new Map<string, HostFile[]>();
  for (const file of files) {
    if (file.kind === 'left_out') continue;
    const folder = nearestFirst.find((one) => file.path.startsWith(`${one}/`));
    const name = folder === undefined ? MACHINE : `${MACHINE}: ${folder}`;
    const part = parts.get(name);
    if (part === undefined) parts.set(name, [file]);
    else part.push(file);
  }
  return [...parts]
    .toSorted(([a], [b]) => byteOrder(a, b))
    .map(([name, own]) => ({
      kind: 'host',
      name,
      version: '',
      digest: digestOf(canonicalJson(own.map(hostFileJson))),
      files: own,
    }));
}
