import { z } from 'zod';
import { ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { parseImagePath } from '../base/image-path.ts';
import { quotedValue } from './quoted-value.ts';
import type { PerArchitecture } from './recipe.ts';
import { leaf } from './recipe-values.ts';
import type { Parsed } from './recipe-values.ts';

/** `base.host` as the recipe has it; places are added when the file is read. */
export interface HostDocument {
  readonly pythonPath: PerArchitecture;
  /** In the order of the recipe; `auto` is what the interpreter itself says. */
  readonly libraryPaths: readonly ('auto' | PerArchitecture)[];
}

/** Paths of this machine, which may be files, folders, or patterns. */
export function hostSchema(): z.ZodType<HostDocument> {
  return z
    .strictObject({
      python_path: perArchitecture(hostPath(PROGRAM)),
      python_lib_path: z
        .union([z.array(z.union([...byArchitecture(hostPath(LIBRARY))])).min(1), hostPath(LIBRARY_OR_AUTO)])
        .optional()
        .meta({ description: '`auto`: what the interpreter says; or a list of files, folders and patterns.' }),
    })
    .transform(({ python_path: pythonPath, python_lib_path: libraries }): HostDocument => ({
      pythonPath,
      libraryPaths: (Array.isArray(libraries) ? libraries : ['auto']).map((entry) =>
        entry === 'auto' ? 'auto' : mapOf(entry),
      ),
    }));
}

function perArchitecture(path: z.ZodType<string>): z.ZodType<PerArchitecture> {
  return z.union([...byArchitecture(path)]).transform(mapOf);
}

/** The map stands first: an input that is no map is then judged as a path. */
function byArchitecture(path: z.ZodType<string>): readonly [z.ZodType<PerArchitecture>, z.ZodType<string>] {
  const map = z.strictObject({ amd64: path.optional(), arm64: path.optional() }).transform((paths, context) => {
    const found = ARCHITECTURES.flatMap((name): [Architecture, string][] => {
      const value = paths[name];
      return value === undefined ? [] : [[name, value]];
    });
    if (found.length > 0) return Object.fromEntries(found);
    const params = { hint: 'write for example `{ amd64: /usr/bin/python3 }`' };
    context.issues.push({ code: 'custom', input: paths, message: 'must name a path for an architecture', params });
    return z.NEVER;
  });
  return [map, path];
}

function mapOf(value: string | PerArchitecture): PerArchitecture {
  if (typeof value !== 'string') return value;
  return Object.fromEntries(ARCHITECTURES.map((name) => [name, value]));
}

interface PathRules {
  readonly example: string;
  readonly description: string;
  readonly auto: 'refused' | 'allowed' | 'wanted';
}

const PROGRAM: PathRules = {
  example: '/usr/local/bin/python3',
  description: 'The interpreter, by its path on this machine; it has the same path in the image.',
  auto: 'refused',
};
const LIBRARY: PathRules = {
  example: '/usr/local/lib/python3.12',
  description: 'File, folder or pattern (`*`, `?`, `[…]`, `**`) on this machine; or `auto`.',
  auto: 'allowed',
};
const LIBRARY_OR_AUTO: PathRules = { ...LIBRARY, auto: 'wanted' };

/** Why `path` cannot stand in `python_lib_path`. */
export function libraryPathFault(path: string): string | undefined {
  const parsed = parseHostPath(path, LIBRARY);
  return 'fault' in parsed ? parsed.fault : undefined;
}

function hostPath(rules: PathRules): z.ZodType<string> {
  return leaf((input) => parseHostPath(input, rules), { type: 'string', description: rules.description });
}

function parseHostPath(input: unknown, { example, auto }: PathRules): Parsed<string> {
  if (input === 'auto' && auto !== 'refused') return { value: 'auto' };
  if (auto === 'wanted') {
    const fault = `must be \`auto\` or a list, got ${quotedValue(input)}`;
    return { fault, hint: `write for example \`[auto, ${example}]\`` };
  }
  const path = typeof input === 'string' && input.startsWith('/') && isPlain(input) ? parseImagePath(input) : undefined;
  if (path === undefined || path === '') {
    const fault = `must be an absolute path on this machine, without \`..\`, got ${quotedValue(input)}`;
    return { fault, hint: `write for example \`${example}\`` };
  }
  if (auto === 'refused' && /[*?[\]]/.test(path)) {
    return { fault: 'must be one path, not a pattern', hint: `write for example \`${example}\`` };
  }
  if (path.split('/').some((name) => (name.match(/\*+/g) ?? []).length > MOST_STARS)) {
    return { fault: `must not have more than ${MOST_STARS} \`*\` in one name`, hint: 'write several patterns' };
  }
  const top = path.split('/')[0] ?? '';
  if (!UNSEEN.has(top) && !(auto === 'refused' && KERNEL.has(top))) return { value: `/${path}` };
  const fault = `cannot be in \`/${top}\`: a run would not see it`;
  return { fault, hint: `move it to another folder, and write for example \`${example}\`` };
}

const MOST_STARS = 4;

/** Top folders that a cell covers with its own, and ours. */
const UNSEEN: ReadonlySet<string> = new Set(['tmp', '.rootcellar']);
/** What libraries are named in there belongs to the machine, and is left out later, as lists for other tools have it. */
const KERNEL: ReadonlySet<string> = new Set(['proc', 'sys', 'dev', 'run']);

function isPlain(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text) && !text.split('/').includes('..');
}
