import type { Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { formatDuration, formatSize } from '../base/units.ts';
import { policyText } from '../run/filter-text.ts';
import { compilePolicy } from '../run/policy.ts';
import { manifestJson, readManifest, type ImageManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { readTree } from '../store/images.ts';
import type { CommandContext } from './command-context.ts';
import { namedImage } from './named-image.ts';
import { withPipeline } from './pipeline.ts';
import { tableText } from './table-text.ts';

/** One package's share of an image. */
interface Share {
  readonly origin: string;
  readonly files: number;
  readonly bytes: number;
}

/** `rootcellar show`: identity, packages by size, limits, and what the profile lets a program do. */
export async function showVerb(context: CommandContext, word: string): Promise<number> {
  const { image, tree } = await withPipeline(context, async (pipeline) => {
    const found = await namedImage(word, pipeline);
    return { image: found, tree: await readTree(pipeline.store, found) };
  });
  const manifest = readManifest(image.manifest);
  const shares = packageShares(tree);
  const text = [identityText(image, manifest), sharesText(shares), limitsText(manifest), syscallsText(manifest)].join(
    '\n',
  );
  const { filter: _, ...told } = manifest;
  context.reporter.result(text, {
    diff_id: image.diffId,
    size: image.size,
    generation: image.generation,
    manifest: manifestJson(told),
    packages: shares.map(({ origin, files, bytes }) => ({ origin, files, bytes })),
  });
  return 0;
}

function packageShares(tree: Tree): readonly Share[] {
  const shares = new Map<string, Share>();
  for (const entry of tree.values()) {
    const { origin } = entry;
    const share = shares.get(origin) ?? { origin, files: 0, bytes: 0 };
    const bytes = entry.kind === 'file' ? entry.size : 0;
    const files = entry.kind === 'directory' ? 0 : 1;
    shares.set(origin, { origin, files: share.files + files, bytes: share.bytes + bytes });
  }
  return [...shares.values()].toSorted((a, b) => b.bytes - a.bytes || byteOrder(a.origin, b.origin));
}

function identityText(image: Image, { interpreter, epoch }: ImageManifest): string {
  const rows = [
    ['name', image.name],
    ['architecture', image.architecture],
    ['digest', image.diffId],
    ['size', formatSize(image.size)],
    ['generation', `${image.generation}`],
    ['newest file', new Date(epoch * 1000).toISOString()],
    [
      'python',
      interpreter === undefined ? 'none' : `${interpreter.version}, ${interpreter.path}, glibc ${interpreter.glibc}`,
    ],
  ];
  return rows.map(([key = '', value = '']) => `${`${key}:`.padEnd(14)}${value}\n`).join('');
}

function sharesText(shares: readonly Share[]): string {
  const rows = shares.map(({ origin, files, bytes }) => [formatSize(bytes), `${files}`, origin]);
  return tableText(['SIZE', 'FILES', 'PACKAGE'], rows);
}

function limitsText({ sandbox }: ImageManifest): string {
  const { memoryBytes, processes, cpuMs, wallMs, outputBytes, tmpBytes, openFiles } = sandbox.limits;
  const words = [
    `memory ${formatSize(memoryBytes)}`,
    `processes ${processes}`,
    `cpu ${formatDuration(cpuMs)}`,
    `wall ${formatDuration(wallMs)}`,
    `output ${formatSize(outputBytes)}`,
    `tmp ${formatSize(tmpBytes)}`,
    `open files ${openFiles}`,
  ];
  return `limits: ${words.join(', ')}\nnetwork: ${sandbox.network}\n`;
}

function syscallsText({ sandbox, architecture }: ImageManifest): string {
  return policyText(compilePolicy(sandbox.syscalls, architecture), architecture);
}
