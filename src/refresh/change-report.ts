import { explain, valid } from '@renovatebot/pep440';
import { comparePackages, type PackageDifference } from '../assemble/package-difference.ts';
import type { Architecture } from '../base/architecture.ts';
import type { Json } from '../base/canonical-json.ts';
import { formatSize } from '../base/units.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import type { ImageChanges } from './image-changes.ts';

/**
 * How far a version went, by the first part of it that differs. `patch` is everything behind the second number, and of a
 * .deb what Debian changed.
 */
export type VersionStep = 'major' | 'minor' | 'patch';

export interface ReportedChange extends PackageDifference {
  /** Undefined where there are not two versions. */
  readonly step: VersionStep | undefined;
}

/** What a lockfile has that another had not. */
export interface ChangeReport {
  readonly name: string;
  readonly architectures: readonly ArchitectureChanges[];
}

export interface ArchitectureChanges {
  readonly architecture: Architecture;
  readonly changes: readonly ReportedChange[];
  /** Where an image was built, and there is one to compare it with. */
  readonly image?: ImageChanges | undefined;
}

/** Architectures without a change are left out. */
export function changeReport(before: Lockfile, after: Lockfile): ChangeReport {
  const architectures = [...after.targets].flatMap(([architecture, target]) => {
    const old = before.targets.get(architecture);
    const packages = comparePackages(old === undefined ? [] : [...old.debs, ...old.wheels], [
      ...target.debs,
      ...target.wheels,
    ]);
    const changes = packages.map((one): ReportedChange => {
      const { kind, name, change, before: from, after: to } = one;
      return { kind, name, change, before: from, after: to, step: stepOf(one) };
    });
    return changes.length === 0 ? [] : [{ architecture, changes }];
  });
  return { name: after.recipe.name, architectures };
}

function stepOf({ kind, before, after }: PackageDifference): VersionStep | undefined {
  if (before === undefined || after === undefined || before === after) return undefined;
  const [a, b] = [before, after].map((version) => (kind === 'deb' ? debianParts(version) : pythonParts(version)));
  if (a === undefined || b === undefined) return undefined;
  if (a[0] !== b[0] || a[1] !== b[1]) return 'major';
  return a[2] === b[2] ? 'patch' : 'minor';
}

/** Epoch and the first two numbers. Source: PEP 440, "Version scheme". */
function pythonParts(version: string): readonly [string, string, string] | undefined {
  if (valid(version) === null) return undefined;
  const { epoch = 0, release = [] } = explain(version) ?? {};
  return [`${epoch}`, `${release[0] ?? 0}`, `${release[1] ?? 0}`];
}

/** The same of the upstream version. Source: deb-version(7). */
function debianParts(version: string): readonly [string, string, string] {
  const [, epoch = '0', upstream = ''] = /^(?:(\d+):)?(.*?)(?:-[^-]*)?$/.exec(version) ?? [];
  const [first = '', second = '0'] = upstream.split(/[.+~-]/);
  return [epoch, first, second];
}

export function reportJson({ name, architectures }: ChangeReport): Json {
  return {
    name,
    architectures: architectures.map(({ architecture, changes, image }) => ({
      architecture,
      changes: changes.map(({ kind, name: what, change, before, after, step }) => {
        return { kind, name: what, change, before: before ?? null, after: after ?? null, step: step ?? null };
      }),
      image: image === undefined ? undefined : imageJson(image),
    })),
  };
}

function imageJson({ size, libraries, licences, calls }: ImageChanges): Json {
  return {
    size: { ...size },
    native_libraries: libraries,
    licences: licences.map(({ name, before, after }) => ({ name, before: before ?? null, after })),
    system_calls: calls,
  };
}

/** For people, in Markdown, fit for a pull request. */
export function reportMarkdown({ name, architectures }: ChangeReport): string {
  if (architectures.length === 0) return `# ${name}: nothing new\n`;
  const total = architectures.reduce((sum, { changes }) => sum + changes.length, 0);
  const sections = architectures.map(({ architecture, changes, image }) => {
    const table = changes.length === 0 ? 'The same packages.\n' : changesTable(changes);
    return `## ${architecture}\n\n${table}${image === undefined ? '' : imageText(image)}`;
  });
  return `# ${name}: ${total} ${total === 1 ? 'change' : 'changes'}\n\n${sections.join('\n')}`;
}

function changesTable(changes: readonly ReportedChange[]): string {
  const rows = changes.map(({ kind, name, change, before = '', after = '', step = '' }) => {
    return `| ${cell(name)} | ${kind} | ${change} | ${cell(before)} | ${cell(after)} | ${step} |\n`;
  });
  return `| package | kind | change | before | after | step |\n| --- | --- | --- | --- | --- | --- |\n${rows.join('')}`;
}

/** A list of what is different; nothing is said of what stays. */
function imageText({ size, libraries, licences, calls }: ImageChanges): string {
  const listed = licences.map(({ name, before, after }) => {
    return before === undefined
      ? `${cell(name)} (new): ${cell(after)}`
      : `${cell(name)}: ${cell(before)} → ${cell(after)}`;
  });
  const lines = [
    `size: ${formatSize(size.before)} → ${formatSize(size.after)} (${signed(size.after - size.before)})`,
    ...(libraries.length === 0 ? [] : [`new native libraries: ${libraries.map(cell).join(', ')}`]),
    ...(listed.length === 0 ? [] : [`licences: ${listed.join('; ')}`]),
    ...(calls.length === 0 ? [] : [`system calls that were denied for the first time: ${calls.map(cell).join(', ')}`]),
  ];
  return `\n${lines.map((line) => `- ${line}\n`).join('')}`;
}

function signed(bytes: number): string {
  return bytes < 0 ? `-${formatSize(-bytes)}` : `+${formatSize(bytes)}`;
}

/** Names and versions come from indexes: none may end a cell or begin a line. */
function cell(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').replaceAll(/[\\|`<>[\]*_]/g, String.raw`\$&`);
}
