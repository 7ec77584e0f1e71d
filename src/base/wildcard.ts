/**
 * Whether `name` matches `pattern`, whole: `*` is any text and `?` any character, as glob(7) has them for one name.
 * On a mismatch only the last star is tried again, one character further, so that no pattern takes more than the
 * product of both lengths.
 */
export function matchesWildcard(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  let at = 0;
  let afterStar = -1;
  let starFrom = 0;
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') {
      at += 1;
      afterStar = at;
      starFrom = index;
    } else if (pattern[at] === '?' || pattern[at] === name[index]) {
      at += 1;
      index += 1;
    } else if (afterStar >= 0) {
      starFrom += 1;
      at = afterStar;
      index = starFrom;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
