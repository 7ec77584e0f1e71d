import { digestFromHex, type Digest } from '../base/digest.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { redactAddresses, tailOf } from './redact.ts';

/** One line of `apt-get install --print-uris`. */
export interface PrintedUri {
  /** Percent-encoded. */
  readonly uri: string;
  readonly size: number;
  readonly digest: Digest;
}

/** Reads the lines that start with a quote; undefined when one of them has no sha256. */
export function parsePrintedUris(output: string): readonly PrintedUri[] | undefined {
  const printed: PrintedUri[] = [];
  for (const line of output.split('\n')) {
    if (!line.startsWith("'")) continue;
    const [, uri, size, hex] = /^'([^']+)' \S+ (\d+) SHA256:([0-9a-f]{64})$/.exec(line) ?? [];
    const digest = digestFromHex(hex ?? '');
    if (uri === undefined || digest === undefined) return undefined;
    printed.push({ uri, size: Number(size), digest });
  }
  return printed;
}

/** An index file that apt has, as `apt-get indextargets --format TARGET_FORMAT` prints it. */
export interface IndexTarget {
  /** Ends with a slash. */
  readonly repository: string;
  readonly suite: string;
  readonly component: string;
  /** Path below the suite's folder, such as `main/binary-amd64/Packages`. */
  readonly metaKey: string;
  readonly file: string;
}

export const TARGET_FORMAT = '$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(METAKEY)\t$(FILENAME)';

export function parseIndexTargets(
  output: string,
  wanted: 'Packages' | 'Contents-deb' = 'Packages',
): readonly IndexTarget[] {
  return output.split('\n').flatMap((line) => {
    const [kind, repository, suite, component, metaKey, file] = line.split('\t');
    if (kind !== wanted || repository === undefined || suite === undefined || component === undefined) return [];
    if (metaKey === undefined || file === undefined) return [];
    return [{ repository, suite, component, metaKey, file }];
  });
}

/** Where apt keeps the InRelease (or Release) file of the suite that an index belongs to. */
export function releaseFileOf(target: IndexTarget, name: 'InRelease' | 'Release'): string {
  const suffix = `_${target.metaKey.replaceAll('/', '_')}`;
  return `${target.file.slice(0, target.file.length - suffix.length)}_${name}`;
}

const DISTRUST =
  /is not signed|GPG error|signatures? (?:couldn't|were invalid)|Hash Sum mismatch|unexpected size|is expired|not valid yet|BADSIG|NO_PUBKEY|Splitting up|Clearsigned file|weak (?:security|hash)|not trusted|insecure repository|Signed-By/i;

/** The error for an `apt-get update` that failed. `output` is stdout and stderr. */
export function updateError(output: string): RootcellarError {
  const lines = output.split('\n').filter((line) => /^(?:[EW]: |Err:)/.test(line));
  const distrust = lines.find((line) => DISTRUST.test(line));
  const subject = archiveSubject(distrust ?? lines.find((line) => /^E: |^Err:/.test(line)) ?? '');
  const cause = new Error(tailOf(output, 12));
  if (distrust !== undefined) {
    return new RootcellarError('E_ARCHIVE_UNTRUSTED', `${subject}: ${explain(distrust)}`, {
      hint: 'check `Signed-By` of this archive in /etc/apt/sources.list.d, and that nothing on the way changes its files',
      cause,
    });
  }
  const missing = lines.find((line) => /does not have a Release file/.test(line));
  if (missing !== undefined) {
    return new RootcellarError('E_ARCHIVE_UNKNOWN', `${archiveSubject(missing)}: the archive has no such suite`, {
      hint: 'check `base.debian.suite` of the recipe',
      cause,
    });
  }
  const fault = lines.find((line) => /Failed to fetch/.test(line)) ?? lines.at(-1) ?? tailOf(output, 1);
  return new RootcellarError('E_DOWNLOAD', `${subject}: ${explain(fault)}`, {
    hint: 'check the network and the proxy settings of apt, then try again',
    cause,
  });
}

/** Suites that the archive does not have, by the output of `apt-get update`. */
export function missingSuites(output: string): readonly string[] {
  return [...output.matchAll(/^E: The repository '\S+ (\S+) \S+' does not have a Release file/gm)].map(
    ([, suite = '']) => suite,
  );
}

function archiveSubject(line: string): string {
  const [, suite] =
    /(?:https?|file|ftp)\S*:\/\/\S+ (\S+) (?:In)?Release/.exec(line) ?? /\/dists\/([^/\s]+)\//.exec(line) ?? [];
  return suite === undefined ? 'debian archive' : `debian archive, suite \`${suite}\``;
}

function explain(line: string): string {
  return redactAddresses(line)
    .replace(/^(?:[EW]: |Err:\d+ )/, '')
    .replace(/\.$/, '')
    .trim();
}

/** Packages that apt could not find, with those that are only virtual. */
export function unknownPackages(output: string): readonly string[] {
  const patterns = [
    /^E: Unable to locate package (\S+)/gm,
    /^E: Package '([^']+)' has no installation candidate/gm,
    /^E: Couldn't find any package by (?:glob|regex) '([^']+)'/gm,
  ];
  return [...new Set(patterns.flatMap((pattern) => [...output.matchAll(pattern)].map(([, name = '']) => name)))];
}

/** The error for packages that cannot be installed together, with apt's own reasons. */
export function conflictError(output: string): RootcellarError {
  const reasons = /The following packages have unmet dependencies:\n([^]*?)(?=\nE: |\n\S|$)/
    .exec(output)?.[1]
    ?.trimEnd();
  const details = reasons ?? tailOf(output, 6);
  const message = `debian packages: they cannot be installed together:\n${redactAddresses(details)}`;
  return new RootcellarError('E_DEB_CONFLICT', message, { hint: 'take one of them out of `base.debian.packages`' });
}

export function unknownPackageError(
  names: readonly string[],
  suggest: (name: string) => string | undefined,
  { suite, architecture }: { readonly suite: string; readonly architecture: string },
): RootcellarError {
  const problems = names.map((name): Problem => {
    const near = suggest(name);
    return {
      code: 'E_DEB_UNKNOWN',
      message: `debian package \`${name}\`: suite \`${suite}\` has no such package for ${architecture}`,
      hint: near === undefined ? 'look for its name with `apt-cache search WORD`' : `did you mean \`${near}\`?`,
    };
  });
  return RootcellarError.ofProblems(problems);
}
