import type { PackageChange, PackageDifference } from '../assemble/package-difference.ts';
import type { EntryDifference, FieldDifference } from '../assemble/tree-difference.ts';
import { byteOrder } from '../base/byte-order.ts';
import { formatSize } from '../base/units.ts';
import type { Compared, Comparison, FileDifference, SizeDifference } from '../compare-images.ts';
import { tableText } from './table-text.ts';
import { visibleWord } from './visible-text.ts';

export interface ComparisonView {
  readonly before: Compared;
  readonly after: Compared;
  /** Whether everything is named. */
  readonly all: boolean;
}

/** Up to so many files are all named; of more, some of each group. */
const FEW_FILES = 40;
const MOST_OF_GROUP = 4;
const MOST_GROUPS = 25;
const MOST_PACKAGES = 60;
const MOST_SIZES = 15;

/** A comparison for people: first what decides, then what follows from it. Lists are cut short unless `all` is wished. */
export function comparisonText(comparison: Comparison, view: ComparisonView): string {
  const { packages, settings, files, sizes } = comparison;
  const head = `${visibleWord(`${view.before.label} → ${view.after.label}`)}\n`;
  if (comparison.isSame) {
    return `${head}${files === undefined ? 'the same packages; no files to compare' : 'the same, byte for byte'}\n`;
  }
  const parts = [
    head + sizeLine(view),
    settings.length === 0 ? '' : `settings\n${settings.map((line) => `  ${visibleWord(line)}\n`).join('')}`,
    packagesText(packages, view),
    sizesText(sizes, view),
    files === undefined ? 'files: not compared, because one image is not in the store\n' : filesText(files, view),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function sizeLine({ before, after }: ComparisonView): string {
  if (before.kind === 'lock' || after.kind === 'lock') return '';
  const [old, now] = [before.image.size, after.image.size];
  return `tar ${formatSize(old)} → ${formatSize(now)} (${signedSize(now - old)})\n`;
}

function signedSize(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${formatSize(Math.abs(bytes))}`;
}

const CHANGES: readonly (readonly [PackageChange, string, string])[] = [
  ['upgraded', '↑', 'up'],
  ['downgraded', '↓', 'down'],
  ['added', '+', 'added'],
  ['removed', '-', 'removed'],
  ['changed', '~', 'of the same version but another artifact'],
];

function packagesText(packages: readonly PackageDifference[], { all }: ComparisonView): string {
  if (packages.length === 0) return '';
  const counts = CHANGES.flatMap(([change, , word]) => {
    const count = packages.filter((one) => one.change === change).length;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  const sorted = CHANGES.flatMap(([change, sign]) =>
    packages.filter((one) => one.change === change).map((one) => [`  ${sign}`, one.name, versionsOf(one)]),
  );
  const shown = all ? sorted : sorted.slice(0, MOST_PACKAGES);
  return `packages: ${counts.join(', ')}\n${rowsText(shown)}${moreText(sorted.length - shown.length, '  ')}`;
}

function versionsOf({ before, after }: PackageDifference): string {
  if (before === undefined || after === undefined) return before ?? after ?? '';
  return before === after ? before : `${before} → ${after}`;
}

function sizesText(sizes: readonly SizeDifference[], { all }: ComparisonView): string {
  if (sizes.length === 0) return '';
  const sorted = sizes.toSorted(
    (a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before) || byteOrder(a.owner, b.owner),
  );
  const shown = all ? sorted : sorted.slice(0, MOST_SIZES);
  const rows = shown.map(({ owner, before, after }) => [
    `  ${signedSize(after - before)}`,
    ownerText(owner),
    `${formatSize(before)} → ${formatSize(after)}`,
  ]);
  return `size by package\n${rowsText(rows)}${moreText(sorted.length - shown.length, '  ')}`;
}

function ownerText(owner: string): string {
  return owner === '' ? '(no package)' : owner;
}

/** Folders in which something else changed are counted only: they say nothing new. */
function filesText(files: readonly FileDifference[], view: ComparisonView): string {
  const told = view.all ? files : files.filter(({ reason }) => reason.kind !== 'inside');
  const folders = files.length - told.length;
  const counts = (['added', 'removed', 'changed'] as const).map((change) => {
    return `${told.filter(({ difference }) => difference.change === change).length} ${change}`;
  });
  const inside = folders === 0 ? '' : `; ${folders} folders have another time because of what is in them`;
  const groups = groupsOf(told);
  const shown = view.all ? groups : groups.slice(0, MOST_GROUPS);
  const most = view.all || told.length <= FEW_FILES ? Infinity : MOST_OF_GROUP;
  const rest = groups.slice(shown.length).reduce((sum, group) => sum + group.length, 0);
  const texts = shown.map((group) => groupText(group, most));
  return `files: ${counts.join(', ')}${inside}\n${texts.join('')}${moreText(rest, '  ', 'in other packages ')}`;
}

/** Differences of one package for one reason; the largest group first. */
function groupsOf(files: readonly FileDifference[]): readonly (readonly FileDifference[])[] {
  const groups = new Map<string, FileDifference[]>();
  for (const file of files) {
    const key = `${file.owner}\0${file.reason.text}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  return [...groups]
    .toSorted(([a, one], [b, other]) => other.length - one.length || byteOrder(a, b))
    .map(([, group]) => group);
}

function groupText(group: readonly FileDifference[], most: number): string {
  const [first] = group;
  if (first === undefined) return '';
  const shown = group.slice(0, most === Infinity ? group.length : most);
  const lines = shown.map(({ difference }) => `    ${visibleWord(fileText(difference))}\n`);
  const head = `${ownerText(first.owner)}: ${group.length}, because ${first.reason.text}`;
  return `  ${visibleWord(head)}\n${lines.join('')}${moreText(group.length - shown.length, '    ')}`;
}

function fileText(difference: EntryDifference): string {
  const path = `/${difference.path}`;
  if (difference.change === 'added') return `+ ${path}`;
  if (difference.change === 'removed') return `- ${path}`;
  return `~ ${path}  ${fieldsText(difference.fields)}`;
}

/** A size says more to people than two digests do; with another kind, the rest goes without saying. */
function fieldsText(fields: readonly FieldDifference[]): string {
  const kind = fields.find(({ field }) => field === 'kind');
  if (kind !== undefined) return `${kind.before ?? ''} → ${kind.after ?? ''}`;
  const hasSize = fields.some(({ field }) => field === 'size');
  return fields
    .flatMap(({ field, before = '', after = '' }): string[] => {
      if (field === 'content') return hasSize ? [] : ['content'];
      if (field === 'size') return [`content ${formatSize(Number(before))} → ${formatSize(Number(after))}`];
      return field === 'mtime' ? ['time'] : [`${field} ${before} → ${after}`];
    })
    .join(', ');
}

function rowsText(rows: readonly (readonly string[])[]): string {
  const [first = [], ...rest] = rows;
  return rows.length === 0 ? '' : tableText(first, rest);
}

function moreText(count: number, indent: string, where = ''): string {
  return count <= 0 ? '' : `${indent}… and ${count} more ${where}(--all)\n`;
}
