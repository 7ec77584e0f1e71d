import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatNamed } from '../recipe/requirement.ts';
import { parseRequirement } from '../recipe/requirement-line.ts';
import type { SourceArtifact, WheelArtifact } from './resolution.ts';
import type { BuildEnvironment, BuiltWheel, SourceFacts, WheelBuilder } from './wheel-builder.ts';

/** How the wheels that a build needs are found: with the same indexes, for this machine. */
export type ResolveRequirements = (
  lines: readonly string[],
  preferences: ReadonlyMap<string, string>,
) => Promise<readonly WheelArtifact[]>;

export interface BuildTools {
  readonly builder: WheelBuilder;
  readonly environment: BuildEnvironment;
  readonly resolveRequirements: ResolveRequirements;
  /** What is locked now, by normalised name. */
  readonly previous: ReadonlyMap<string, WheelArtifact>;
}

export interface BuiltSource {
  readonly wheel: BuiltWheel;
  readonly requirements: readonly WheelArtifact[];
}

/** A backend that always wants more would never be done. */
const MOST_ROUNDS = 4;

/**
 * Builds a source that is here, with the wheels that it and its backend ask for. Throws what the builder throws, and
 * E_WHEEL_BUILD for requirements that are none or have no end.
 */
export async function buildSource(source: SourceArtifact, facts: SourceFacts, tools: BuildTools): Promise<BuiltSource> {
  const locked = tools.previous.get(source.name)?.builtFrom?.requirements ?? [];
  const preferences = new Map(locked.map(({ name, version }) => [name, version]));
  const known: string[] = [];
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const lines = [...facts.requires, ...known].map((line) => requirementOf(line, source));
    const requirements = lines.length === 0 ? [] : await tools.resolveRequirements([...new Set(lines)], preferences);
    const outcome = await tools.builder.build({
      source,
      requirements,
      known: [...known],
      environment: tools.environment,
    });
    if (outcome.kind === 'wheel') return { wheel: outcome.wheel, requirements };
    known.push(...outcome.requires);
  }
  throw fault(source, 'its backend asks for more requirements each time');
}

/** The project says this, so it may be anything; what is no plain requirement would make a resolver do other things. */
function requirementOf(line: string, source: SourceArtifact): string {
  const parsed = parseRequirement(line);
  if (!('fault' in parsed) && parsed.kind === 'named') return formatNamed(parsed);
  const why = 'fault' in parsed ? parsed.fault : 'it is an address instead of a package';
  throw fault(source, `its build requirement ${JSON.stringify(line.slice(0, 200))} cannot be used: ${why}`);
}

function fault({ name, version }: SourceArtifact, what: string): RootcellarError {
  return new RootcellarError('E_WHEEL_BUILD', `\`${name}\` ${version}: no wheel could be built: ${what}`, {
    hint: 'choose another version of it',
  });
}
