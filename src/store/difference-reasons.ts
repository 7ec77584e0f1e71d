import type { PackageDifference } from '../assemble/package-difference.ts';
import type { Inventory } from '../assemble/package-inventory.ts';
import type { EntryDifference, EntryField } from '../assemble/tree-difference.ts';
import type { Entry, Tree } from '../assemble/tree.ts';
import { trimRules, type TrimRules } from '../assemble/trim-rules.ts';
import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { globFault } from '../recipe/glob.ts';
import { TRIM_SET_NAMES } from '../recipe/trim-sets.ts';
import type { ToldManifest } from './image-manifest.ts';

/** One of the two images of a comparison. */
export interface ExplainedSide {
  readonly tree: Tree;
  readonly inventory: Inventory;
  /** Undefined where others have made the image. */
  readonly manifest: ToldManifest | undefined;
}

export interface ExplainedSides {
  readonly before: ExplainedSide;
  readonly after: ExplainedSide;
  readonly packages: readonly PackageDifference[];
}

/** Why a file differs, as a word for programs and a text for people. */
export interface Reason {
  readonly kind:
    | 'package'
    | 'architecture'
    | 'recipe'
    | 'trim'
    | 'interpreter'
    | 'source'
    | 'owner'
    | 'epoch'
    | 'inside'
    | 'generated'
    | 'format'
    | 'unknown';
  readonly text: string;
}

/** Tells of each difference why it is there, by what the images say of themselves. */
export function differenceReasons(sides: ExplainedSides): (difference: EntryDifference) => Reason {
  const { before, after } = sides;
  const packages = new Map(sides.packages.map((one) => [one.name, packageText(one)]));
  const trims = { before: trimOf(before), after: trimOf(after) };
  const rules: readonly ((difference: Facts) => Reason | undefined)[] = [
    ({ path }) => ownFileReason(path, sides),
    ({ difference }) => (isInside(difference) ? { kind: 'inside', text: 'what is in the folder changed' } : undefined),
    ({ owners }) => (owners.includes('recipe.yaml') ? { kind: 'recipe', text: '`files` of the recipe' } : undefined),
    ({ difference }) => trimReason(difference, trims),
    ({ path, fields }) => generatedReason(path, fields, packages),
    ({ owners }) => packageReason(owners, packages),
    ({ owners }) => ownerReason(owners),
    ({ fields }) => epochReason(fields, sides),
    ({ path, fields }) => bytecodeReason(path, fields, sides),
    () => settingsReason(sides),
  ];
  return (difference) => {
    const facts = factsOf(difference, sides);
    for (const rule of rules) {
      const reason = rule(facts);
      if (reason !== undefined) return reason;
    }
    return { kind: 'unknown', text: 'the images do not say why' };
  };
}

interface Facts {
  readonly difference: EntryDifference;
  readonly path: ImagePath;
  readonly fields: readonly EntryField[];
  /** Of the entry before and of the one after, where they are known. */
  readonly owners: readonly (string | undefined)[];
}

function factsOf(difference: EntryDifference, { before, after }: ExplainedSides): Facts {
  const old = difference.change === 'added' ? [] : [before.inventory.ownerOf(difference.before)];
  const now = difference.change === 'removed' ? [] : [after.inventory.ownerOf(difference.after)];
  const fields = difference.change === 'changed' ? difference.fields.map(({ field }) => field) : [];
  return { difference, path: difference.path, fields, owners: [...old, ...now] };
}

/** `libc6 2.41-12 → 2.41-13`. */
function packageText({ name, change, before = '', after = '' }: PackageDifference): string {
  if (change === 'added') return `${name} ${after} is new`;
  if (change === 'removed') return `${name} ${before} is gone`;
  return change === 'changed' ? `${name} ${before} is another artifact` : `${name} ${before} → ${after}`;
}

function ownFileReason(path: ImagePath, { packages, before, after }: ExplainedSides): Reason | undefined {
  if (!path.startsWith('.rootcellar/') && path !== '.rootcellar') return undefined;
  if (path.endsWith('.bpf')) {
    const [one, other] = [before.manifest?.sandbox, after.manifest?.sandbox];
    if (JSON.stringify(one?.syscalls) !== JSON.stringify(other?.syscalls))
      return { kind: 'generated', text: '`sandbox.syscalls` of the recipe changed' };
    const isSame = JSON.stringify(one?.network) === JSON.stringify(other?.network);
    return { kind: 'generated', text: isSame ? 'made of the profile' : '`sandbox.network` of the recipe changed' };
  }
  const text =
    packages.length > 0 ? 'tells of the packages and settings, which changed' : 'tells of the settings, which changed';
  return { kind: 'generated', text };
}

function isInside(difference: EntryDifference): boolean {
  return (
    difference.change === 'changed' &&
    difference.after.kind === 'directory' &&
    difference.fields.every(({ field }) => field === 'mtime')
  );
}

function trimOf({ manifest }: ExplainedSide): TrimRules {
  const rules = manifest?.trimmed?.map(({ rule }) => rule) ?? [];
  // The manifest may be anybody's: what no recipe could say is not made into an expression.
  return trimRules(rules.filter((rule) => TRIM_SET_NAMES.includes(rule) || globFault(rule) === undefined));
}

interface Trims {
  readonly before: TrimRules;
  readonly after: TrimRules;
}

/** What is there in one image only, because the other trims it. Bytecode goes with its source. */
function trimReason({ change, path }: EntryDifference, { before, after }: Trims): Reason | undefined {
  if (change === 'changed') return undefined;
  const [here, there] = change === 'removed' ? [after, before] : [before, after];
  const source = path.replace(/\/__pycache__\/([^/.]+)\.[^/]*$/, '/$1.py');
  const rule = here.ruleOf(path) ?? here.ruleOf(source);
  if (rule === undefined || there.ruleOf(path) !== undefined) return undefined;
  return { kind: 'trim', text: change === 'removed' ? `\`trim: ${rule.name}\`` : `no \`trim: ${rule.name}\` any more` };
}

type PackageTexts = ReadonlyMap<string, string>;

function generatedReason(path: ImagePath, fields: readonly EntryField[], packages: PackageTexts): Reason | undefined {
  if (fields.length > 0 && fields.every((field) => field === 'mtime')) return undefined;
  if (path === 'etc/ld.so.cache') return { kind: 'generated', text: 'made of the shared objects, which changed' };
  if (path === 'etc/ssl/certs/ca-certificates.crt' && packages.has('ca-certificates')) {
    return { kind: 'package', text: packages.get('ca-certificates') ?? '' };
  }
  if (parentOf(path) !== 'var/lib/dpkg/status.d') return undefined;
  const text = packages.get(nameOf(path).replace(/\.md5sums$/, ''));
  return text === undefined ? undefined : { kind: 'package', text };
}

function packageReason(owners: Facts['owners'], packages: PackageTexts): Reason | undefined {
  const [text] = owners.toReversed().flatMap((owner) => packages.get(owner ?? '') ?? []);
  return text === undefined ? undefined : { kind: 'package', text };
}

function ownerReason([before, after]: Facts['owners']): Reason | undefined {
  if (before === undefined || after === undefined || before === after) return undefined;
  return { kind: 'owner', text: `${before} had it, now ${after} has it` };
}

function epochReason(fields: readonly EntryField[], { before, after }: ExplainedSides): Reason | undefined {
  const [old, now] = [before.manifest?.epoch, after.manifest?.epoch];
  if (fields.length === 0 || fields.some((field) => field !== 'mtime')) return undefined;
  return old === undefined || now === undefined || old === now ? undefined : { kind: 'epoch', text: 'another epoch' };
}

/** Bytecode changes with its source or with what compiled it. */
function bytecodeReason(path: ImagePath, fields: readonly EntryField[], sides: ExplainedSides): Reason | undefined {
  const [, folder, name] = /^(.*)\/__pycache__\/([^/]+?)\.[^./]+\.pyc$/.exec(path) ?? [];
  if (folder === undefined || name === undefined) return undefined;
  const { before, after } = sides;
  const [old, now] = [before.manifest?.interpreter?.version, after.manifest?.interpreter?.version];
  if (old !== now) return { kind: 'interpreter', text: `Python ${old ?? 'unknown'} → ${now ?? 'unknown'}` };
  const source = `${folder}/${name}.py`;
  const isSame = digestAt(before.tree.get(source)) === digestAt(after.tree.get(source));
  if (!isSame) return { kind: 'source', text: 'its source changed' };
  return fields.includes('content') ? { kind: 'interpreter', text: 'compiled by another build of Python' } : undefined;
}

function digestAt(entry: Entry | undefined): string | undefined {
  return entry?.kind === 'file' ? entry.digest : undefined;
}

function settingsReason({ before, after }: ExplainedSides): Reason | undefined {
  const [old, now] = [before.manifest, after.manifest];
  if (old === undefined || now === undefined) return undefined;
  if (old.architecture !== now.architecture) {
    return { kind: 'architecture', text: `${old.architecture} → ${now.architecture}` };
  }
  return old.format === now.format ? undefined : { kind: 'format', text: `format ${old.format} → ${now.format}` };
}
