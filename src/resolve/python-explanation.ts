import { compare, satisfies } from '@renovatebot/pep440';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError, type Problem, type SourcePlace } from '../base/rootcellar-error.ts';
import type { GatePage } from './index-gate.ts';
import { versionOf } from './candidates.ts';
import { refusalText } from './refusal-text.ts';
import type { RefusalContext } from './refusal-text.ts';
import { needsIn, type Need } from './resolver-words.ts';

export interface Explanation extends RefusalContext {
  /** All that the tool said. */
  readonly output: string;
  /** The user's requirements and limits that hold on the target, in PEP 508 form without markers. */
  readonly lines: readonly string[];
  readonly constraints: readonly string[];
  /** What was asked for, by normalised name. */
  readonly pages: ReadonlyMap<string, GatePage>;
  readonly places: ReadonlyMap<string, SourcePlace>;
  /** How messages name the indexes that were asked. */
  readonly labels: readonly string[];
}

/** Why requirements cannot be resolved, by what the indexes have; undefined when they do not tell. */
export function explainFailure(explanation: Explanation): RootcellarError | undefined {
  const wanted = userNeeds(explanation);
  const named = needsIn(explanation.output);
  const problems = [...unknownProjects(wanted, named, explanation), ...unfitVersions(wanted, explanation)];
  if (problems.length > 0) return RootcellarError.ofProblems(problems);
  const [unfit] = unfitVersions(
    named.filter(({ by }) => by !== undefined),
    explanation,
  );
  const clash = conflict([...wanted, ...named.filter(({ by }) => by !== undefined)], explanation);
  if (clash !== undefined) return RootcellarError.ofProblems([clash]);
  return unfit === undefined ? undefined : RootcellarError.ofProblems([unfit]);
}

function userNeeds({ lines, constraints }: Explanation): readonly Need[] {
  const needs = lines.map(needOf);
  const names = new Set(needs.map(({ name }) => name));
  // A limit alone asks for nothing.
  return [...needs, ...constraints.map(needOf).filter(({ name }) => names.has(name))];
}

function needOf(line: string): Need {
  const [, name = line, specifier = ''] = /^([a-z0-9-]+)(?:\[[^\]]*\])?(.*)$/.exec(line) ?? [];
  return { by: undefined, name, specifier };
}

function unknownProjects(
  wanted: readonly Need[],
  named: readonly Need[],
  explanation: Explanation,
): readonly Problem[] {
  const unknown = [...explanation.pages].filter(([, page]) => !page.isKnown).map(([name]) => name);
  const ofUser = unknown.filter((name) => wanted.some((need) => need.name === name));
  const others = unknown.filter((name) => named.some((need) => need.name === name && need.by !== undefined));
  const labels = explanation.labels.length === 0 ? 'find_links' : explanation.labels.join(', ');
  return (ofUser.length > 0 ? ofUser : others.slice(0, 1)).map((name): Problem => {
    const needed = ofUser.length > 0 ? undefined : named.find((need) => need.name === name && need.by !== undefined);
    const by = needed === undefined ? undefined : neederOf(needed);
    const why = by === undefined ? '' : `, which \`${by}\` needs`;
    return {
      code: 'E_REQUIREMENT_UNKNOWN',
      message: `python requirement \`${name}\`${why}: no package index has such a project (asked: ${labels})`,
      hint:
        by === undefined
          ? 'check its spelling, or name the index that has it in `python.extra_index_urls`'
          : 'name the index that has it in `python.extra_index_urls`',
      place: explanation.places.get(name),
    };
  });
}

/** Needs that nothing which may be taken satisfies. */
function unfitVersions(needs: readonly Need[], explanation: Explanation): readonly Problem[] {
  return needs.flatMap((need): Problem[] => {
    const page = explanation.pages.get(need.name);
    if (page === undefined || !page.isKnown) return [];
    const usable = page.usable.map(({ file }) => versionOf(file, need.name) ?? '');
    if (usable.some((version) => fits(version, need.specifier))) return [];
    return [unfitProblem(need, page, { ...explanation, usable })];
  });
}

function unfitProblem(
  need: Need,
  page: GatePage,
  context: Explanation & { readonly usable: readonly string[] },
): Problem {
  const what = `python requirement \`${need.name}${need.specifier}\`${need.by === undefined ? '' : `, which \`${need.by}\` needs`}`;
  const place = need.by === undefined ? context.places.get(need.name) : undefined;
  const matching = page.refused.filter(({ version }) => fits(version, need.specifier));
  const best = newest(context.usable);
  if (matching.length === 0) {
    const any = newest([...context.usable, ...page.refused.map(({ version }) => version)]);
    const there = any === undefined ? 'the project has no files' : `the newest is ${any}`;
    const taken = best === undefined || best === any ? '' : `, the newest that may be taken ${best}`;
    const hint = best === undefined ? 'check its name' : `write for example \`${need.name}<=${best}\``;
    return {
      code: 'E_REQUIREMENT_UNKNOWN',
      message: `${what}: there is no such version; ${there}${taken}`,
      hint,
      place,
    };
  }
  const { text, code, hint } = refusalText(need.name, matching, context);
  const taken = best === undefined ? '' : `; the newest that may be taken is ${best}`;
  return { code, message: `${what}: ${text}${taken}`, hint, place };
}

/** Two needs for one project that no version satisfies together. */
function conflict(needs: readonly Need[], explanation: Explanation): Problem | undefined {
  const names = new Set(needs.map(({ name }) => name));
  for (const name of names) {
    const own = needs.filter((need) => need.name === name && need.specifier !== '');
    const versions = (explanation.pages.get(name)?.usable ?? []).map(({ file }) => versionOf(file, name) ?? '');
    for (const [index, one] of own.entries()) {
      const other = own
        .slice(index + 1)
        .find((two) =>
          two.by !== one.by || one.by === undefined
            ? !versions.some((version) => fits(version, one.specifier) && fits(version, two.specifier))
            : false,
        );
      if (other !== undefined) return conflictProblem(one, other, explanation);
    }
  }
  return undefined;
}

/** Tools name them in an order of their own, and with or without versions: we do it always alike. */
function conflictProblem(one: Need, other: Need, { places }: Explanation): Problem {
  const pair = [one, other].toSorted(
    (a, b) => byteOrder(neederOf(a) ?? '', neederOf(b) ?? '') || byteOrder(a.specifier, b.specifier),
  );
  const culprits = pair.flatMap((need) => places.get(neederOf(need) ?? need.name) ?? []);
  return {
    code: 'E_REQUIREMENT_CONFLICT',
    message: `python requirements contradict each other: ${pair.map(says).join(', but ')}`,
    hint: 'loosen one of these requirements',
    place: culprits[0],
  };
}

/** The project that needs it. */
function neederOf({ by }: Need): string | undefined {
  return by?.replace(/[<>=!~].*$/, '');
}

function says(need: Need): string {
  const by = neederOf(need);
  return `${by === undefined ? 'the requirements ask' : `\`${by}\` asks`} for \`${need.name}${need.specifier}\``;
}

function fits(version: string, specifier: string): boolean {
  return specifier === '' || satisfies(version, specifier, { prereleases: true });
}

function newest(versions: readonly string[]): string | undefined {
  return versions.toSorted((a, b) => compare(b, a))[0];
}
