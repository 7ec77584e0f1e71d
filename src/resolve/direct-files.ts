import { join } from 'node:path';
import { digestOf } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { identityOf } from '../recipe/address-text.ts';
import type { DirectRequirement } from '../recipe/requirement.ts';
import { extrasText } from '../recipe/requirement.ts';
import { filled } from './index-plan.ts';
import { markerHolds } from './marker-value.ts';
import { localFile } from './package-index.ts';
import type { PythonTarget } from './python-tags.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import type { IndexFile } from './simple-page.ts';

/** A wheel that a requirement names itself, and the requirement in words that every tool knows. */
export interface DirectFile {
  /** Normalised. */
  readonly name: string;
  /** Such as `name[extra]==1.0`. */
  readonly line: string;
  readonly file: IndexFile;
}

export interface DirectContext {
  readonly settings: ResolverSettings;
  /** Of the recipe, absolute. */
  readonly folder: string;
}

/** Those that the target's markers ask for. Throws E_REQUIREMENT_CONFLICT for two files of one project. */
export function directFiles(
  direct: readonly DirectRequirement[],
  target: PythonTarget,
  context: DirectContext,
): readonly DirectFile[] {
  const wanted = direct.filter(({ marker }) => marker === undefined || markerHolds(marker, target));
  const files = wanted.flatMap((requirement) => directFile(requirement, context) ?? []);
  for (const { name, file } of files) {
    const other = files.find((one) => one.name === name && one.file.url !== file.url);
    if (other === undefined) continue;
    const message = `python requirement \`${name}\`: two files are named for it, \`${file.file}\` and \`${other.file.file}\``;
    throw new RootcellarError('E_REQUIREMENT_CONFLICT', message, {
      hint: 'remove one of the two, or give them markers',
    });
  }
  return files;
}

/** Undefined for what is no wheel. */
export function directFile(requirement: DirectRequirement, context: DirectContext): DirectFile | undefined {
  if (requirement.kind === 'git' || requirement.form !== 'wheel') return undefined;
  const { name, version, extras, digest, file } = requirement;
  if (name === undefined || version === undefined) return undefined;
  const line = `${name}${extrasText(extras)}==${version}`;
  if (requirement.kind === 'path') {
    const path = join(context.folder, requirement.path);
    return { name, line, file: { ...localFile(path), file, digest, from: { path: requirement.path } } };
  }
  const from = { url: digestOf(identityOf(requirement.address)) };
  const url = filled(requirement.address, context.settings);
  return { name, line, file: { ...localFile('/'), file, url, digest, from } };
}
