import { z } from 'zod';
import { ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { readableJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import type { ImagePath } from '../base/image-path.ts';
import { hostSchema, type HostDocument } from './host-schema.ts';
import { DEFAULT_LIMITS } from './recipe.ts';
import type { DebianBase, Limits, SandboxSettings, SharedObjects, SyscallSettings } from './recipe.ts';
import { address, fileMode, imagePath, recipePath } from './recipe-paths.ts';
import { libraryPattern, sharedObjectsSchema } from './library-names.ts';
import { networkSchema } from './network-schema.ts';
import { duration, size } from './recipe-quantities.ts';
import { architecture, choice, count, debianPackage, word } from './recipe-values.ts';
import { pythonSchema } from './python-schema.ts';
import type { PythonDocument } from './python-schema.ts';
import { refreshSchema, type RefreshDocument } from './refresh-schema.ts';
import { profileName, ruleName } from './syscall-names.ts';
import type { SyscallVocabulary } from './syscall-vocabulary.ts';
import { trimRule } from './trim-rule.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const HOUR_MS = 3_600_000;

/** What `recipe.yaml` says, checked and with defaults filled in; the files that it names are not read yet. */
export interface RecipeDocument {
  readonly name: string;
  readonly architectures: readonly Architecture[];
  readonly base: DebianBase | ({ readonly kind: 'host' } & HostDocument);
  readonly sharedObjects?: SharedObjects | undefined;
  readonly allowMissing?: readonly string[] | undefined;
  readonly python: PythonDocument | undefined;
  readonly files: Readonly<Record<ImagePath, FileContent>>;
  readonly trim?: readonly string[];
  readonly sandbox: SandboxSettings;
  readonly refresh?: RefreshDocument | undefined;
}

export type FileContent =
  | { readonly kind: 'text'; readonly text: string; readonly mode: number }
  | { readonly kind: 'from'; readonly from: string; readonly mode: number };

/**
 * The one definition of what a recipe may say, for checking and for editors.
 * Lists whose order means nothing come out in byte order.
 */
export function recipeSchema(vocabulary: SyscallVocabulary): z.ZodType<RecipeDocument> {
  return z
    .strictObject({
      name: word({
        pattern: /^[a-z0-9][a-z0-9._-]{0,63}$/,
        expected: 'up to 64 lower-case letters, digits, `.`, `_` and `-`, the first a letter or digit',
        example: 'python-data',
        description: 'Name of the image.',
      }),
      architectures: z.array(architecture()).min(1).optional().transform(inArchitectureOrder),
      base: baseSchema(),
      shared_objects: sharedObjectsSchema().optional(),
      allow_missing: z
        .array(libraryPattern())
        .min(1)
        .optional()
        .meta({ description: 'Libraries that may be missing although something needs them.' }),
      python: pythonSchema().optional(),
      files: z
        .record(imagePath(), fileSchema())
        .optional()
        .meta({ description: 'Files that the recipe itself brings.' }),
      trim: z.array(trimRule()).optional(),
      sandbox: sandboxSchema(vocabulary).prefault({}),
      refresh: refreshSchema()
        .optional()
        .meta({ description: 'When newer versions are taken, and what must work before they serve.' }),
    })
    .transform((document): RecipeDocument => {
      const { python, files, trim, shared_objects: sharedObjects, allow_missing: allowMissing, ...rest } = document;
      return {
        ...rest,
        ...(sharedObjects === undefined ? {} : { sharedObjects }),
        ...(allowMissing === undefined ? {} : { allowMissing: inByteOrder(allowMissing) }),
        python,
        files: files ?? {},
        ...(trim === undefined || trim.length === 0 ? {} : { trim: inByteOrder(trim) }),
      };
    });
}

/** The JSON Schema by which editors complete and check a recipe. */
export function recipeJsonSchema(): Json {
  const schema = z.toJSONSchema(recipeSchema({ profiles: [], groups: [], syscalls: [] }), {
    io: 'input',
  });
  const plain: unknown = JSON.parse(JSON.stringify({ ...schema, title: 'Rootcellar recipe' }));
  return z.json().parse(plain);
}

/** `recipes/recipe.schema.json`, whole. */
export function recipeJsonSchemaText(): string {
  return readableJson(recipeJsonSchema(), 20);
}

function inArchitectureOrder(wanted: readonly Architecture[] | undefined): readonly Architecture[] {
  return wanted === undefined ? ['amd64'] : ARCHITECTURES.filter((one) => wanted.includes(one));
}

function baseSchema(): z.ZodType<RecipeDocument['base']> {
  return z
    .strictObject({ debian: debianSchema().optional(), host: hostSchema().optional() })
    .transform(({ debian, host }, context): RecipeDocument['base'] => {
      if (debian !== undefined && host === undefined) return debian;
      if (host !== undefined && debian === undefined) return { kind: 'host', ...host };
      const params = { hint: 'keep one of the two' };
      const message = 'must have exactly one of `debian` and `host`';
      context.issues.push({ code: 'custom', input: {}, message, params });
      return z.NEVER;
    });
}

function debianSchema(): z.ZodType<DebianBase> {
  return z
    .strictObject({
      suite: suiteName(),
      packages: z
        .array(debianPackage())
        .min(1)
        .meta({ description: 'Debian packages; what they depend on comes along.' }),
      mirror: address('Address of a Debian archive; left out: the apt sources of this machine.').optional(),
      components: z.array(componentName()).min(1).optional(),
    })
    .transform(({ suite, packages, mirror, components }): DebianBase => {
      return {
        kind: 'debian',
        suite,
        mirror,
        components: inByteOrder(components ?? ['main']),
        packages: inByteOrder(packages),
      };
    });
}

const MOVING_SUITES = new Set(['stable', 'testing', 'unstable', 'oldstable', 'oldoldstable']);

function suiteName(): z.ZodType<string> {
  return word({
    pattern: /^[a-z][a-z0-9-]{0,63}$/,
    expected: 'a codename in lower-case letters',
    example: 'trixie',
    description: 'Codename of a Debian release.',
    refuse: (suite) => {
      if (!MOVING_SUITES.has(suite)) return undefined;
      return {
        fault: `must be a codename: \`${suite}\` is another release from time to time`,
        hint: 'write for example `trixie`',
      };
    },
  });
}

function componentName(): z.ZodType<string> {
  return word({
    pattern: /^[a-z0-9][a-z0-9-]{0,63}$/,
    expected: 'the name of a component',
    example: 'main',
    description: 'Component of the archive; `main` when the list is left out.',
  });
}

const DEFAULT_MODE = 0o644;

function fileSchema(): z.ZodType<FileContent> {
  const text = z.string().transform((content): FileContent => ({ kind: 'text', text: content, mode: DEFAULT_MODE }));
  const described = z
    .strictObject({
      from: recipePath('File with the content, relative to the recipe.', 'nsswitch.conf').optional(),
      text: z.string().optional(),
      mode: fileMode().optional(),
    })
    .transform((file, context): FileContent => {
      const mode = file.mode ?? DEFAULT_MODE;
      if (file.from !== undefined && file.text === undefined) return { kind: 'from', from: file.from, mode };
      if (file.text !== undefined && file.from === undefined) return { kind: 'text', text: file.text, mode };
      const params = { hint: 'write for example `{ from: nsswitch.conf, mode: "0644" }`' };
      context.issues.push({
        code: 'custom',
        input: file,
        message: 'must have exactly one of `from` and `text`',
        params,
      });
      return z.NEVER;
    });
  return z.union([text, described]);
}

export function sandboxSchema(vocabulary: SyscallVocabulary): z.ZodType<SandboxSettings, Record<string, unknown>> {
  return z
    .strictObject({
      syscalls: syscallsSchema(vocabulary).prefault({}),
      network: networkSchema().optional(),
      limits: limitsSchema().prefault({}),
      minimum_tier: choice(
        ['A', 'B', 'C', 'D'],
        'Least isolation that a run may start with; `C` when left out.',
      ).optional(),
      proc: z
        .boolean()
        .optional()
        .meta({ description: 'Whether a run has a /proc, read-only and of its own processes.' }),
    })
    .transform(({ syscalls, network, limits, minimum_tier: minimumTier, proc }): SandboxSettings => {
      const settings = { syscalls, network: network ?? 'none', limits, minimumTier: minimumTier ?? 'C' } as const;
      return proc === true ? { ...settings, proc } : settings;
    });
}

function syscallsSchema(vocabulary: SyscallVocabulary): z.ZodType<SyscallSettings, Record<string, unknown>> {
  const rule = ruleName(vocabulary);
  return z
    .strictObject({
      profile: profileName(vocabulary).optional(),
      allow: z.array(rule).optional().meta({ description: 'System calls and @groups to add to the profile.' }),
      deny: z.array(rule).optional().meta({ description: 'System calls and @groups to take from the profile.' }),
    })
    .transform(({ profile, allow, deny }): SyscallSettings => {
      return { profile: profile ?? 'python', allow: inByteOrder(allow ?? []), deny: inByteOrder(deny ?? []) };
    });
}

export function limitsSchema(): z.ZodType<Limits, Record<string, unknown>> {
  return z
    .strictObject({
      memory: size({
        least: 16 * MIB,
        most: 1024 * GIB,
        example: '256MiB',
        description: 'Memory of all processes together.',
      }).optional(),
      processes: count({
        least: 1,
        most: 32_768,
        example: '32',
        description: 'Processes and threads at one time.',
      }).optional(),
      cpu: duration({ least: 100, most: 24 * HOUR_MS, example: '5s', description: 'Processor time.' }).optional(),
      wall: duration({
        least: 100,
        most: 24 * HOUR_MS,
        example: '10s',
        description: 'Time from start to end.',
      }).optional(),
      output: size({ least: 1024, most: GIB, example: '1MiB', description: 'Of stdout and stderr, each.' }).optional(),
      tmp: size({ least: MIB, most: 64 * GIB, example: '64MiB', description: 'Size of the private /tmp.' }).optional(),
      open_files: count({
        least: 16,
        most: 1_048_576,
        example: '256',
        description: 'Open files of each process.',
      }).optional(),
    })
    .transform((limits): Limits => ({
      memoryBytes: limits.memory ?? DEFAULT_LIMITS.memoryBytes,
      processes: limits.processes ?? DEFAULT_LIMITS.processes,
      cpuMs: limits.cpu ?? DEFAULT_LIMITS.cpuMs,
      wallMs: limits.wall ?? DEFAULT_LIMITS.wallMs,
      outputBytes: limits.output ?? DEFAULT_LIMITS.outputBytes,
      tmpBytes: limits.tmp ?? DEFAULT_LIMITS.tmpBytes,
      openFiles: limits.open_files ?? DEFAULT_LIMITS.openFiles,
    }));
}

function inByteOrder(words: readonly string[]): readonly string[] {
  return words.toSorted(byteOrder);
}
