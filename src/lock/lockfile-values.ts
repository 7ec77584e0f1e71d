import { z } from 'zod';
import { isDigest, type Digest } from '../base/digest.ts';
import { parseImagePath } from '../base/image-path.ts';
import { parseTime } from '../base/time-text.ts';

/** A whole number from 0 on. */
export function natural(): z.ZodType<number> {
  return z.int('must be a whole number').min(0, 'must not be negative');
}

export function digest(): z.ZodType<Digest> {
  return z.string().transform((value, context): Digest => {
    if (isDigest(value)) return value;
    context.issues.push({ code: 'custom', input: value, message: 'must be `sha256:` and 64 lower-case hex digits' });
    return z.NEVER;
  });
}

/** In an image, in its one spelling. */
export function absolutePath(): z.ZodType<string> {
  return line().refine((path) => `/${parseImagePath(path) ?? ''}` === path, 'must be an absolute path without `..`');
}

/** Below an index, an archive or a recipe, in its one spelling. */
export function relativePath(ending: string): z.ZodType<string> {
  return line().refine(
    (path) => path.endsWith(ending) && parseImagePath(path) === path && !path.includes('\\') && !path.includes(':/'),
    `must be a relative path without \`..\` that ends in \`${ending}\``,
  );
}

/** Without anything that a terminal or an editor would take for its end. */
export function line(): z.ZodType<string> {
  return text(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,1024}$/u, 'one line of text');
}

/** `what` it is, for whoever wrote something else. */
export function text(pattern: RegExp, what: string): z.ZodType<string> {
  return z.string().regex(pattern, `must be ${what}`);
}

/** As a text; read as seconds since 1970. */
export function pointInTime(): z.ZodType<number> {
  return z.string().transform((value, context): number => {
    const seconds = parseTime(value);
    if (seconds !== undefined) return seconds;
    context.issues.push({ code: 'custom', input: value, message: 'must be a time such as `2026-11-14T03:58:38Z`' });
    return z.NEVER;
  });
}

/** One name, one artifact. */
export function refuseRepeated(artifacts: readonly { readonly name: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  const repeated = artifacts.findIndex(({ name }) => seen.size === seen.add(name).size);
  if (repeated < 0) return;
  context.addIssue({ code: 'custom', path: [repeated, 'name'], message: 'is there twice' });
}
