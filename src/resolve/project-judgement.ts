import pMap from 'p-map';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { PythonRequirements } from '../recipe/recipe.ts';
import { judgeFiles, type CandidateRules } from './candidates.ts';
import type { DirectFile } from './direct-files.ts';
import type { GatePage } from './index-gate.ts';
import type { PackageIndex } from './package-index.ts';
import type { PythonTarget } from './python-tags.ts';

export interface Judging {
  readonly index: PackageIndex;
  readonly python: PythonRequirements;
  readonly direct: readonly DirectFile[];
  /** Requirements and limits that hold on the target, without markers. */
  readonly lines: readonly string[];
  readonly constraints: readonly string[];
  readonly target: PythonTarget;
  /** Position of each tag that fits the target. */
  readonly ranks: ReadonlyMap<string, number>;
  /** Seconds since 1970; no file that an index got later is taken. */
  readonly cutOff: number | undefined;
}

/** What may be taken of a project: of the file that the recipe names, else of what the indexes have. */
export async function judgeProject(name: string, work: Judging): Promise<GatePage> {
  const { direct, python, index, target, ranks, lines, constraints } = work;
  const isCool = work.cutOff === undefined || python.cooldown?.except.includes(name) === true;
  const rules: CandidateRules = {
    ranks,
    pythonVersion: target.pythonVersion,
    cutOff: isCool ? undefined : work.cutOff,
    hashes: python.hashes?.get(name),
    exactVersions: exactVersions(name, [...lines, ...constraints]),
    isBuilt: python.buildFromSource?.includes(name),
  };
  const own = direct.filter((one) => one.name === name).map(({ file }) => file);
  if (own.length > 0) return { ...judgeFiles(name, own, rules), label: undefined, isKnown: true };
  const { files, label } = await index.project(name);
  const known = await withDigests(files, rules, index);
  const candidates = judgeFiles(name, known, rules);
  refuseUndated(name, label, candidates);
  return { ...candidates, label, isKnown: label !== undefined || files.length > 0 };
}

/** Where hashes are demanded, those of local files are computed; what an index does not say is compared afterwards. */
async function withDigests(
  files: Awaited<ReturnType<PackageIndex['project']>>['files'],
  { hashes }: CandidateRules,
  index: PackageIndex,
): Promise<typeof files> {
  if (hashes === undefined) return files;
  return await pMap(
    files,
    async (file) => (file.url.startsWith('file:') ? { ...file, digest: await index.digestOf(file) } : file),
    { concurrency: 2 },
  );
}

function exactVersions(name: string, lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const [, project, specifier = ''] = /^([a-z0-9-]+)(?:\[[^\]]*\])?(.*)$/.exec(line) ?? [];
    if (project !== name) return [];
    return specifier.split(',').flatMap((one) => /^===?([^=*]+)$/.exec(one)?.[1] ?? []);
  });
}

/** An index without times would look like one without versions. */
function refuseUndated(
  name: string,
  label: string | undefined,
  { usable, refused }: Pick<GatePage, 'usable' | 'refused'>,
): void {
  const reasons = new Set(refused.map(({ reason }) => reason));
  if (usable.length > 0 || !reasons.has('undated') || reasons.has('young')) return;
  const message = `package index (${label ?? 'find_links'}): it does not say how old the files of \`${name}\` are, which \`cooldown\` needs`;
  throw new RootcellarError('E_INDEX_NO_TIMES', message, {
    hint: `add \`${name}\` to \`except\` of \`python.cooldown\`, or use an index with upload times (PEP 700)`,
  });
}
