import { quotedWord } from './quoted-value.ts';

/** The path of a value in a recipe, for people: `` `base.debian.packages[2]` ``, `` `files["/etc/motd"].mode` ``. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the recipe';
  const text = path.map((name, index) => {
    if (typeof name === 'number') return `[${name}]`;
    const key = quotedWord(String(name)).slice(1, -1);
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)) return `["${key}"]`;
    return index === 0 ? key : `.${key}`;
  });
  return `\`${text.join('')}\``;
}
