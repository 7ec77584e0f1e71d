import type { FileEntry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatDuration, formatSize } from '../base/units.ts';
import { networkText } from '../recipe/network.ts';
import { policyText } from '../run/filter-text.ts';
import { networkPolicy } from '../run/network-policy.ts';
import { manifestJson, readManifest, type ImageManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { listImages, readTree } from '../store/images.ts';
import type { BillFormat } from './bill-text.ts';
import type { CommandContext } from './command-context.ts';
import type { ShowFlags } from './command-line.ts';
import { namedImage } from './named-image.ts';
import { withImages } from './pipeline.ts';
import { tableText } from './table-text.ts';
import { visibleText, visibleWord } from './visible-text.ts';

/** One package's share of an image. */
interface Share {
  readonly origin: string;
  readonly files: number;
  readonly bytes: number;
}

interface Shown {
  readonly image: Image;
  readonly tree: Tree;
  /** Of the same name, this one's included. */
  readonly architectures: readonly string[];
}

const LARGEST_FILES = 10;

/**
 * `rootcellar show`: identity, packages by size, largest files, what was trimmed, limits, and what the profile lets a program
 * do. With `--sbom`, a bill of materials on stdout and nothing else.
 */
export async function showVerb(context: CommandContext, word: string, flags: ShowFlags): Promise<number> {
  const format = billFormat(flags);
  return await withImages(context, async (pipeline) => {
    const { store } = pipeline;
    const image = await namedImage(word, pipeline);
    if (format !== undefined) {
      const { billText } = await import('./bill-text.ts');
      const text = await billText(store, image, { format, files: flags.files === true });
      context.reporter.result(text, { format, bill: text });
      return 0;
    }
    const named = (await listImages(store)).filter(({ name }) => name === image.name);
    const architectures = [...new Set([image, ...named].map(({ architecture }) => architecture))].toSorted(byteOrder);
    showImage(context, { image, tree: await readTree(store, image), architectures }, flags);
    return 0;
  });
}

function billFormat({ sbom }: ShowFlags): BillFormat | undefined {
  if (sbom === undefined || sbom === 'spdx' || sbom === 'cyclonedx') return sbom;
  throw new RootcellarError('E_USAGE', `--sbom: there is no format \`${sbom}\``, { hint: 'use spdx or cyclonedx' });
}

function showImage({ reporter }: CommandContext, { image, tree, architectures }: Shown, { files }: ShowFlags): void {
  const manifest = readManifest(image.manifest);
  const shares = packageShares(tree);
  const sized = [...tree.values()].flatMap((entry) => (entry.kind === 'file' ? [entry] : []));
  const largest = sized.toSorted((a, b) => b.size - a.size || byteOrder(a.path, b.path));
  const listed = files === true ? sized : largest.slice(0, LARGEST_FILES);
  const parts = [
    identityText({ image, tree, architectures }, manifest),
    sharesText(shares),
    filesText(listed),
    trimText(manifest),
    visibleText(limitsText(manifest)),
    visibleText(syscallsText(manifest)),
  ];
  const { filter: _, ...told } = manifest;
  reporter.result(parts.filter((part) => part !== '').join('\n'), {
    diff_id: image.diffId,
    size: image.size,
    generation: image.generation,
    architectures,
    manifest: manifestJson(told),
    packages: shares.map(({ origin, files: count, bytes }) => ({ origin, files: count, bytes })),
    [files === true ? 'files' : 'largest_files']: listed.map(({ path, size, origin, digest }) => {
      return { path: `/${path}`, size, origin, digest };
    }),
  });
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

function identityText({ image, architectures }: Shown, { interpreter, epoch }: ImageManifest): string {
  const others = architectures.filter((one) => one !== image.architecture);
  const also = others.map((one) => `${image.name}@${one}`).join(', ');
  const rows = [
    ['name', image.name],
    ['architecture', also === '' ? image.architecture : `${image.architecture}; there is also ${also}`],
    ['digest', image.diffId],
    ['size', formatSize(image.size)],
    ['generation', `${image.generation}`],
    ['newest file', new Date(epoch * 1000).toISOString()],
    [
      'python',
      interpreter === undefined ? 'none' : `${interpreter.version}, ${interpreter.path}, glibc ${interpreter.glibc}`,
    ],
  ];
  return rows.map(([key = '', value = '']) => `${`${key}:`.padEnd(14)}${visibleWord(value)}\n`).join('');
}

function sharesText(shares: readonly Share[]): string {
  const rows = shares.map(({ origin, files, bytes }) => [formatSize(bytes), `${files}`, origin]);
  return tableText(['SIZE', 'FILES', 'PACKAGE'], rows);
}

function filesText(files: readonly FileEntry[]): string {
  const rows = files.map(({ path, size, origin }) => [formatSize(size), `/${path}`, origin]);
  return tableText(['SIZE', 'FILE', 'PACKAGE'], rows);
}

function trimText({ trimmed }: ImageManifest): string {
  if (trimmed === undefined) return '';
  const rows = trimmed.map(({ rule, files, bytes }) => [formatSize(bytes), `${files}`, rule]);
  return tableText(['SIZE', 'FILES', 'TRIMMED'], rows);
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
  const proc = sandbox.proc === true ? '/proc: of its own processes\n' : '';
  return `limits: ${words.join(', ')}\nnetwork: ${networkText(sandbox.network)}\n${proc}least isolation: tier ${sandbox.minimumTier}\n`;
}

function syscallsText({ sandbox, architecture }: ImageManifest): string {
  return policyText(networkPolicy(sandbox, architecture), architecture);
}
