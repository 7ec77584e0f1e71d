import { normalName } from '../recipe/requirement-parts.ts';

/** A requirement that a resolver named when it failed. */
export interface Need {
  /** Such as `b==1.0`; undefined: the user. */
  readonly by: string | undefined;
  /** Normalised. */
  readonly name: string;
  /** Such as `<2,>=1`; empty: any version. */
  readonly specifier: string;
}

const NAME = String.raw`[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`;
const LIMIT = String.raw`(?:===|[<>=!~]=?)[\w.*+!-]+`;
const EXTRAS = String.raw`(?:\[[^\]]*\])?`;
const WANTED = String.raw`(?<name>${NAME})${EXTRAS}(?<specifier>${LIMIT}(?:,${LIMIT})*)?`;
const NEEDING = String.raw`(?<by>${NAME})${EXTRAS}(?<limits>${LIMIT}(?:,${LIMIT})*| \d[\w.+!-]*)?`;

/** Texts of uv 0.13, then of pip 22 to 26. */
const SENTENCES: readonly RegExp[] = [
  new RegExp(`${NEEDING} depends? on ${WANTED}`, 'g'),
  new RegExp(`you require ${WANTED}`, 'g'),
  new RegExp(`you require [^ ]+,? and (?:you require )?${WANTED}(?=[ ,.]|$)`, 'g'),
  new RegExp(`user requested(?: \\(constraint\\))? ${WANTED}`, 'g'),
  new RegExp(`the requirement ${WANTED} \\(from (?<by>${NAME})\\)`, 'g'),
  new RegExp(`No matching distribution found for ${WANTED}`, 'g'),
];

/** Who needs what, as far as the words of uv or pip tell, each once. */
export function needsIn(output: string): readonly Need[] {
  const text = output.replaceAll(/\s+/g, ' ');
  const all = SENTENCES.flatMap((sentence) =>
    Array.from(text.matchAll(sentence), ({ groups }) => needOf(groups ?? {})),
  );
  return [...new Map(all.map((one) => [JSON.stringify([one.by ?? '', one.name, one.specifier]), one])).values()];
}

function needOf({ by, limits = '', name = '', specifier = '' }: Readonly<Record<string, string | undefined>>): Need {
  const version = limits.startsWith(' ') ? `==${limits.slice(1)}` : limits;
  return {
    by: by === undefined ? undefined : `${normalName(by)}${version}`,
    name: normalName(name),
    specifier: specifier.replace(/[.,]+$/, ''),
  };
}
