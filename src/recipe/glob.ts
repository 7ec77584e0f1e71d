/** In characters. */
export const LONGEST_GLOB = 256;
const MOST_WILDCARDS = 12;
const MOST_WILDCARDS_IN_NAME = 3;
const ACCEPTABLE = /^\/[\w.+~@%=,:*?[\]{}!^/-]+$/;
const CLASS = /\[[!^]?[^[\]/]+\]/g;

/**
 * Why `glob` is not acceptable, completing "must be …"; undefined when it is. Globs are absolute paths in the image with `*`,
 * `**`, `?`, `[a-z]`, `[!a]` and `{a,b}`. Wildcards are bounded, so that no name takes long to be matched.
 */
export function globFault(glob: string): string | undefined {
  if (!glob.startsWith('/')) return 'an absolute path in the image';
  if (glob.length > LONGEST_GLOB) return `at most ${LONGEST_GLOB} characters long`;
  if (!ACCEPTABLE.test(glob)) return 'made of names, `*`, `**`, `?`, `[a-z]` and `{a,b}`';
  const names = glob.slice(1).split('/');
  if (names.some((name) => name === '' || name === '.') || glob.includes('..')) {
    return 'without `..`, `.` and empty names';
  }
  if (!areBracketsClosed(glob)) return 'with every bracket closed';
  const worst = withWorstAlternatives(glob);
  if (wildcards(worst) > MOST_WILDCARDS || worst.split('/').some((name) => wildcards(name) > MOST_WILDCARDS_IN_NAME)) {
    return `of at most ${MOST_WILDCARDS} \`*\`, ${MOST_WILDCARDS_IN_NAME} of them in a name`;
  }
  return undefined;
}

function wildcards(text: string): number {
  return text.split(/\*+/).length - 1;
}

/** Of each `{a,b}` only the alternative with the most wildcards. */
function withWorstAlternatives(glob: string): string {
  let text = glob;
  for (let before = ''; before !== text;) {
    before = text;
    text = text.replaceAll(/\{([^{}]+)\}/g, (_, list: string) => {
      return list.split(',').toSorted((a, b) => wildcards(b) - wildcards(a))[0] ?? '';
    });
  }
  return text;
}

function areBracketsClosed(glob: string): boolean {
  let text = glob.replaceAll(CLASS, '');
  if (/[[\]]/.test(text)) return false;
  for (let before = ''; before !== text;) {
    before = text;
    text = text.replaceAll(/\{[^{}]+\}/g, '');
  }
  return !/[{}]/.test(text);
}
