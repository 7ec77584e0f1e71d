import type { Digest } from '../base/digest.ts';
import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { quotedWord } from './quoted-value.ts';
import type { PythonDocument } from './python-schema.ts';
import type { PythonRequirements } from './recipe.ts';
import type { RequirementsTree } from './requirement-files.ts';
import { mergeSettings, refused } from './requirement-settings.ts';
import { describeDirect, formatNamed } from './requirement.ts';
import type { DirectRequirement, PlacedRequirement, Requirement } from './requirement.ts';

/** What the files and the recipe's own keys say together. */
export interface RequirementSet {
  /** Without what is left out when it is empty; `file` is not in it. */
  readonly python: Omit<PythonRequirements, 'file'>;
  /** Direct requirements with their places, for those who read the files that they name. */
  readonly direct: readonly PlacedDirect[];
  readonly problems: readonly Problem[];
}

export interface PlacedDirect {
  readonly requirement: DirectRequirement;
  readonly place: SourcePlace;
}

/** An option in a requirements file means the same as the recipe's key; where both speak they must agree. */
export function mergeRequirements(tree: RequirementsTree, document: PythonDocument): RequirementSet {
  const { settings, problems: clashes } = mergeSettings(tree.settings, document);
  const problems: Problem[] = [...checkRequirements(tree, document), ...checkConstraints(tree), ...clashes];
  const named = tree.requirements.flatMap(({ requirement }) => namedText(requirement));
  const hashes = mergeHashes(tree);
  const requireHashes = hashes.size > 0 || hasFlag(tree, 'require-hashes');
  if (requireHashes) problems.push(...missingHashes(tree, hashes));
  const constraints = tree.constraints.flatMap(({ requirement }) => namedText(requirement));
  return {
    python: {
      lines: named,
      ...settings,
      ...(constraints.length === 0 ? {} : { constraints }),
      ...(hashes.size === 0 ? {} : { hashes }),
      ...(requireHashes ? { requireHashes } : {}),
      ...(hasFlag(tree, 'pre') ? { preReleases: true } : {}),
      ...(document.cooldown === undefined ? {} : { cooldown: document.cooldown }),
      places: placesOf(tree),
    },
    direct: tree.requirements.flatMap(({ requirement, place }) => {
      return requirement.kind === 'named' ? [] : [{ requirement, place }];
    }),
    problems,
  };
}

function namedText(requirement: Requirement): readonly string[] {
  return requirement.kind === 'named' ? [formatNamed(requirement)] : [];
}

function checkRequirements({ requirements }: RequirementsTree, document: PythonDocument): readonly Problem[] {
  return requirements.flatMap(({ requirement, isEditable, place }): Problem[] => {
    if (isEditable) return [refused(editableFault(requirement), place)];
    return requirement.kind === 'named' ? [] : sourceProblems(requirement, place, document);
  });
}

function editableFault(requirement: Requirement): { readonly message: string; readonly hint: string } {
  const message = 'the option `-e` is not supported: an image has no sources that can be edited';
  if (requirement.kind === 'path')
    return {
      message,
      hint: 'build a wheel of it beside the recipe, and write for example `./name-1.0-py3-none-any.whl`',
    };
  return { message, hint: 'write the same without `-e`' };
}

/** What cannot be installed as it is must be built, and that must have been allowed. */
function sourceProblems(
  requirement: DirectRequirement,
  place: SourcePlace,
  { buildFromSource }: PythonDocument,
): Problem[] {
  if (requirement.kind !== 'git' && requirement.form === 'wheel') return [];
  const { name } = requirement;
  if (requirement.kind === 'git') {
    const shown = quotedWord(describeDirect(requirement));
    if (name === undefined) {
      const message = `${shown} does not say which package it is`;
      return [refused({ message, hint: 'write for example `name @ git+https://HOST/name.git@REVISION`' }, place)];
    }
    if (buildFromSource.includes(name)) return [];
    const message = `${shown} has to be built from source, and that is not allowed for it`;
    return [refused({ message, hint: `write \`build_from_source: [${name}]\` below \`python\` in the recipe` }, place)];
  }
  const message = `${quotedWord(describeDirect(requirement))} is not a wheel, and only wheels are taken`;
  return [refused({ message, hint: 'build a wheel of it, and write its address or its path' }, place)];
}

function checkConstraints({ constraints }: RequirementsTree): readonly Problem[] {
  return constraints.flatMap(({ requirement, isEditable, place }): Problem[] => {
    if (isEditable) return [refused({ message: 'a constraint cannot be editable', hint: 'remove it' }, place)];
    if (requirement.kind !== 'named') {
      const message = 'a constraint cannot be an address or a path';
      return [refused({ message, hint: 'write it in the requirements file' }, place)];
    }
    if (requirement.extras.length === 0) return [];
    return [
      refused(
        {
          message: 'a constraint cannot have extras',
          hint: `write \`${formatNamed({ ...requirement, extras: [] })}\``,
        },
        place,
      ),
    ];
  });
}

function hasFlag({ settings }: RequirementsTree, name: string): boolean {
  return settings.some((one) => one.kind === 'flag' && one.name === name);
}

/** Hashes of one project in several lines are all good; those of a constraint narrow them. */
function mergeHashes({ requirements, constraints }: RequirementsTree): ReadonlyMap<string, readonly Digest[]> {
  const wanted = collectHashes(requirements);
  const limits = collectHashes(constraints);
  const names = new Set([...wanted.keys(), ...limits.keys()]);
  return new Map(
    [...names].map((name): [string, readonly Digest[]] => {
      const own = wanted.get(name);
      const limit = limits.get(name);
      return [name, own === undefined ? (limit ?? []) : own.filter((digest) => limit?.includes(digest) ?? true)];
    }),
  );
}

function collectHashes(placed: readonly PlacedRequirement[]): ReadonlyMap<string, readonly Digest[]> {
  const found = new Map<string, readonly Digest[]>();
  for (const { requirement, hashes } of placed) {
    const { name } = requirement;
    if (name === undefined || hashes.length === 0) continue;
    found.set(name, [...new Set([...(found.get(name) ?? []), ...hashes])]);
  }
  return found;
}

/** pip's rule: where one requirement has a hash, all must have one, and be pinned. Source: pip's "Secure installs". */
function missingHashes(
  { requirements }: RequirementsTree,
  hashes: ReadonlyMap<string, readonly Digest[]>,
): readonly Problem[] {
  return requirements.flatMap(({ requirement, place }): Problem[] => {
    const { name } = requirement;
    const has = name !== undefined && hashes.has(name);
    if (requirement.kind === 'git') return [];
    if (requirement.kind !== 'named') {
      if (has || requirement.digest !== undefined) return [];
      const message = `${quotedWord(describeDirect(requirement))} has no hash, though others have one`;
      return [refused({ message, hint: 'add `#sha256=…` to it, or remove all hashes' }, place)];
    }
    if (!has) {
      const message = `\`${requirement.name}\` has no hash, though others have one`;
      return [
        refused({ message, hint: 'add `--hash=sha256:…`, or remove all hashes: the lockfile has them anyway' }, place),
      ];
    }
    if (requirement.specifiers.some((one) => /^===?[^=]/.test(one) && !one.endsWith('.*'))) return [];
    const message = `\`${requirement.name}\` has a hash but no exact version`;
    return [refused({ message, hint: `write \`${requirement.name}==VERSION --hash=sha256:…\`` }, place)];
  });
}

function placesOf({ requirements, constraints }: RequirementsTree): ReadonlyMap<string, SourcePlace> {
  const places = new Map<string, SourcePlace>();
  for (const { requirement, place } of [...requirements, ...constraints]) {
    if (requirement.name !== undefined && !places.has(requirement.name)) places.set(requirement.name, place);
  }
  return places;
}
