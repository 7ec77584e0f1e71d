/**
 * Compares two strings as their UTF-8 bytes compare; negative, zero or positive, for `toSorted`.
 * UTF-16 order, which a bare sort uses, differs where a surrogate pair meets a unit from U+E000 on.
 */
export function byteOrder(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** The texts in byte order. Those that are in order already, as the paths of a tree are, come back as they are. */
export function inByteOrder(texts: readonly string[]): readonly string[] {
  const isOrdered = texts.every((text, index) => index === 0 || byteOrder(texts[index - 1] ?? '', text) <= 0);
  return isOrdered ? texts : texts.toSorted(byteOrder);
}

/** Moves surrogates above the rest of the units, where their code points lie. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
