import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { redactAddresses } from './redact.ts';

/** Why a resolver gave nothing, as far as its own words tell. */
export interface PythonFailure {
  readonly kind: 'failure';
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  /** The distribution that could not be had, when the tool named one. */
  readonly distribution: string | undefined;
  /** The version specifier that the tool named with it, such as `==99.0`; empty: any. */
  readonly specifier: string;
  /** All that the tool said; may hold addresses. */
  readonly output: string;
}

interface Row {
  readonly code: ErrorCode;
  readonly pattern: RegExp;
  readonly hint: string;
}

const HINTS = {
  download: 'check the network, the proxy and the index settings of uv or pip, then try again',
  unknown: 'check its spelling and version in the requirements file',
  wheel: 'choose a version that has wheels for this interpreter, or another `base.debian.suite`',
  digest: 'check where the file comes from, then correct the digest',
  conflict: 'loosen one of these requirements',
  syntax: 'write it as PEP 508 says, such as `numpy>=2,<3`',
};

const NAME = String.raw`([A-Za-z0-9][A-Za-z0-9._-]*)`;

/** Lines that do not help: progress, advice on pip itself, versions that nobody asked for. */
const NOISE =
  /^(?:warning|WARNING|\[notice\]|DEPRECATION|Collecting|Looking in|Using cached|Downloading|Requirement already|INFO|Ignored the following|ResolutionImpossible: for help|To fix this|\d\. )/;

/** First match wins. Texts of uv 0.13 and pip 23 to 26. */
const ROWS: readonly Row[] = [
  {
    code: 'E_DOWNLOAD',
    pattern:
      /error sending request|Request failed after|Failed to fetch|HTTP status (?:client|server) error|Retrying \(Retry|Could not fetch URL|HTTP error \d|Connection(?:Error| refused| aborted| broken)|NewConnectionError|ReadTimeout|SSLError|Network connectivity is disabled/,
    hint: HINTS.download,
  },
  { code: 'E_DIGEST_MISMATCH', pattern: /DO NOT MATCH THE HASHES/, hint: HINTS.digest },
  { code: 'E_REQUIREMENT_SYNTAX', pattern: /Couldn't parse requirement|Invalid requirement/, hint: HINTS.syntax },
  {
    code: 'E_REQUIREMENT_UNKNOWN',
    pattern: new RegExp(`Because ${NAME} was not found in the package registry`),
    hint: HINTS.unknown,
  },
  {
    code: 'E_REQUIREMENT_CONFLICT',
    pattern: /ResolutionImpossible|conflicting dependencies| depends on /,
    hint: HINTS.conflict,
  },
  {
    code: 'E_REQUIREMENT_NO_WHEEL',
    pattern: new RegExp(
      `(?:all versions of )?${NAME}(?:[<>=!~][^ ]*)? has no (?:usable )?wheels|versions of ${NAME} have no (?:usable )?wheels`,
    ),
    hint: HINTS.wheel,
  },
  {
    code: 'E_REQUIREMENT_NO_WHEEL',
    pattern: new RegExp(`Python version[^]*does not satisfy Python[^]*${NAME}|Wheels are required for \`${NAME}\``),
    hint: HINTS.wheel,
  },
  {
    code: 'E_REQUIREMENT_UNKNOWN',
    pattern: new RegExp(`there (?:is|are) no versions? of ${NAME}|No matching distribution found for ${NAME}`),
    hint: HINTS.unknown,
  },
  { code: 'E_REQUIREMENT_CONFLICT', pattern: /No solution found/, hint: HINTS.conflict },
];

/** Reads the output of uv or pip that failed. */
export function readFailure(tool: string, output: string): PythonFailure {
  for (const { code, pattern, hint } of ROWS) {
    const match = pattern.exec(output);
    if (match !== null) {
      const distribution = match.slice(1).find((name) => name !== undefined);
      const specifier = specifierOf(output, distribution);
      return {
        kind: 'failure',
        code,
        message: explanation(tool, output, distribution),
        hint,
        distribution,
        specifier,
        output,
      };
    }
  }
  const message = explanation(tool, output, undefined);
  return {
    kind: 'failure',
    code: 'E_RESOLVER_FAILED',
    message,
    hint: undefined,
    distribution: undefined,
    specifier: '',
    output,
  };
}

function specifierOf(output: string, distribution: string | undefined): string {
  if (distribution === undefined) return '';
  const at =
    output.indexOf(`${distribution}=`) < 0
      ? output.search(new RegExp(`${escaped(distribution)}[<>!~]`))
      : output.indexOf(`${distribution}=`);
  if (at < 0) return '';
  return (
    /^(?:(?:[<>=!~]=?=?)[\w.*+!-]+,?)*/.exec(output.slice(at + distribution.length))?.[0].replace(/[,.]+$/, '') ?? ''
  );
}

function escaped(text: string): string {
  return text.replaceAll('.', String.raw`\.`);
}

export function failureError({ code, message, hint }: PythonFailure): RootcellarError {
  return new RootcellarError(code, message, { hint });
}

/** The tool's own words, without noise, addresses and credentials. */
function explanation(tool: string, output: string, distribution: string | undefined): string {
  const lines = redactAddresses(output)
    .split('\n')
    .map((line) =>
      line
        .replace(/^\s*(?:ERROR: |error: |cause: |× |╰─▶ |hint: )/, '')
        .replace(/ \(from versions: [^)]*\)/, '')
        .trimEnd(),
    )
    .filter((line) => line !== '' && !NOISE.test(line.trim()))
    .map((line) => (line.length > 400 ? `${line.slice(0, 400)} …` : line));
  const subject = distribution === undefined ? 'python requirements' : `python requirement \`${distribution}\``;
  const words = lines.slice(0, 12).join('\n  ');
  return `${subject}: ${tool} says: ${words.replace(/\.$/, '')}`;
}
