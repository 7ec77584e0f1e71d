import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ARCHITECTURES, type Architecture } from '../../src/base/architecture.ts';
import { TIERS, type Tier } from '../../src/recipe/recipe.ts';
import { PROFILES } from '../../src/run/profiles.ts';
import { RUN_STATUSES } from '../../src/run/run-report.ts';
import { syscallName, highestSyscall } from '../../src/run/syscall-tables.ts';

const EVENTS = [
  'oom_kill',
  'pids_max',
  'output_truncated',
  'output_lost',
  'wall',
  'cpu',
  'disk_full',
  'killed_descendants',
  'cleanup_unproven',
  'network_refused',
  'network_contacted',
  'network_uncounted',
] as const;

const EVENT_LIST = z.array(z.enum(EVENTS));

/** What stops attacks; layers.test.ts takes away each. */
export const LAYERS = [
  'filter',
  'control-groups',
  'processor-time',
  'wall',
  'output',
  'denials',
  'tmp-size',
  'tmp-inodes',
  'rlimits',
  'root',
  'read-only-root',
  'descriptors',
  'landlock',
  'process-namespace',
  'noexec',
  'devices',
  'no-proc',
  'proc-subset',
  'proc-own',
  'beneath',
  'entries',
] as const;

export type Layer = (typeof LAYERS)[number];

const STOPPERS = z.enum([...LAYERS, 'several', 'nothing']);

const OUTCOME = z.strictObject({
  status: z.union([z.enum(RUN_STATUSES), z.array(z.enum(RUN_STATUSES))]),
  exitCode: z.number().int().optional(),
  signal: z.string().optional(),
  /** All of them, but for denied system calls. None where it is missing. */
  events: EVENT_LIST.optional(),
  /** Those that are there or not, depending on the moment. */
  mayHave: EVENT_LIST.optional(),
  /** All names of denied system calls. None where it is missing. */
  denied: z.array(z.string()).optional(),
  /** Names that are denied or not, depending on the tier. */
  mayDeny: z.array(z.string()).optional(),
  /** Reasons for which the proxy refused something, each once. None where it is missing. */
  refused: z.array(z.string()).optional(),
  /** The whole of stdout, line by line. */
  prints: z.array(z.string()).optional(),
  /** All files that were asked for and not taken, each `path: error`. None where it is missing. */
  notTaken: z.array(z.string()).optional(),
  /** All files that were taken, each `path: bytes`. */
  taken: z.array(z.string()).optional(),
  stdout: z.string().optional(),
  stderr: z.string().optional(),
});

const CASE = z.strictObject({
  id: z.string().regex(/^[FPKNZXJ]\d+(-[a-z0-9-]+)?$/),
  what: z.string().min(1),
  /**
   * Each layer without which, on tier A, it does not end as we owe it. `several`: with any one of them away, another still
   * stops it. `nothing`: what is to be shown is that the verdict is true, and that nothing is left.
   */
  stopped_by: z.union([STOPPERS.transform((one) => [one]), z.array(STOPPERS).min(2)]),
  tiers: z.array(z.enum(TIERS)).min(1),
  architectures: z.array(z.enum(ARCHITECTURES)).default([...ARCHITECTURES]),
  /** Of the program; `node`: it is `attack.mjs`. */
  lang: z.enum(['python', 'node']).default('python'),
  /** By default the one with the name of `lang`. */
  profile: z
    .string()
    .refine((name) => PROFILES.has(name))
    .optional(),
  allow: z.array(z.string()).default([]),
  limits: z.array(z.string()).default([]),
  /** `{port}` in the hosts of a proxy is as in `arguments`. */
  network: z.union([z.enum(['none', 'host']), z.array(z.string()).min(1)]).default('none'),
  /** `{canary}`, `{port}` and `{socket}` stand for a file, a TCP port and an abstract socket of the host. */
  arguments: z.array(z.string()).default([]),
  /** Bytes of stdin. */
  input: z.number().int().default(0),
  /** Paths to take out of /tmp. */
  outputs: z.array(z.string()).default([]),
  proc: z.boolean().default(false),
  cancelAfterMs: z.number().int().optional(),
  times: z.number().int().min(1).default(1),
  /** The program is `attack.py` as it is, without the prelude. */
  bare: z.boolean().default(false),
  /** In place of a file: a text so many times. */
  code: z.strictObject({ repeat: z.string(), times: z.number().int() }).optional(),
  /** What is not as it should be yet; the case then says what we owe and is expected to fail. */
  gap: z.string().optional(),
  expect: OUTCOME,
  /** What is otherwise there; `container`: where the host has a filter of its own; `uncounted`: no control groups; `forked`: by a zygote. */
  in: z
    .partialRecord(
      z.enum([...TIERS, 'container', 'uncounted', 'forked']),
      OUTCOME.partial().extend({ gap: z.string().optional() }),
    )
    .optional(),
});

export interface AttackCase extends z.output<typeof CASE> {
  readonly program: Buffer;
}

const FOLDER = import.meta.dirname;
/** The only calls by name that an attack may need and that are not told by a table. */
const PRELUDE = readFileSync(join(FOLDER, 'prelude.py'), 'utf8');
const NODE_PRELUDE = readFileSync(join(FOLDER, 'prelude.mjs'), 'utf8');

/** Every case, by name of its folder. Throws on one that is not well-formed. */
export function attackCases(architecture: Architecture): readonly AttackCase[] {
  return readdirSync(FOLDER)
    .filter((name) => statSync(join(FOLDER, name)).isDirectory())
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => readCase(name, architecture));
}

export interface TierTraits {
  readonly tier: Tier;
  /** Whether the host has a filter of its own. */
  readonly isContainer: boolean;
  /** Whether it lets nobody make control groups, though the tier could use them. */
  readonly isUncounted?: boolean | undefined;
  /** Whether programs are forked by a zygote, outside of whose process namespace their parent is. */
  readonly isForked?: boolean | undefined;
}

/** The cases of a tier, with what is expected there. */
export function casesOfTier(
  architecture: Architecture,
  { tier, isContainer, isUncounted, isForked }: TierTraits,
): readonly AttackCase[] {
  return attackCases(architecture)
    .filter(({ architectures, tiers }) => architectures.includes(architecture) && tiers.includes(tier))
    .map((attack) => otherwise(attack, attack.in?.[tier]))
    .map((attack) => (isContainer ? otherwise(attack, attack.in?.container) : attack))
    .map((attack) => (isUncounted === true ? otherwise(attack, attack.in?.uncounted) : attack))
    .map((attack) => (isForked === true ? otherwise(attack, attack.in?.forked) : attack));
}

type Other = NonNullable<NonNullable<AttackCase['in']>[Tier]>;

function otherwise(attack: AttackCase, { gap = attack.gap, ...other }: Other = {}): AttackCase {
  const { prints, stdout, ...rest } = attack.expect;
  const isOtherOutput = other.prints !== undefined || other.stdout !== undefined;
  const expect = { ...rest, ...(isOtherOutput ? {} : { prints, stdout }), ...other };
  return { ...attack, ...(gap === undefined ? {} : { gap }), expect: OUTCOME.parse(expect) };
}

function readCase(name: string, architecture: Architecture): AttackCase {
  const attack = CASE.parse(parse(readFileSync(join(FOLDER, name, 'case.yaml'), 'utf8')));
  if (attack.id !== name) throw new Error(`test/attacks/${name}: its id is ${attack.id}`);
  return { ...attack, program: programOf(attack, architecture) };
}

function programOf(attack: z.output<typeof CASE>, architecture: Architecture): Buffer {
  if (attack.code !== undefined) return Buffer.from(attack.code.repeat.repeat(attack.code.times));
  if (attack.lang === 'node')
    return Buffer.from(`${NODE_PRELUDE}${readFileSync(join(FOLDER, attack.id, 'attack.mjs'), 'utf8')}`);
  const own = readFileSync(join(FOLDER, attack.id, 'attack.py'));
  return attack.bare ? own : withPrelude(own.toString('utf8'), architecture);
}

export function withPrelude(code: string, architecture: Architecture): Buffer {
  return Buffer.from(`NR = ${JSON.stringify(numbersOf(architecture))}\n${PRELUDE}${code}`);
}

function numbersOf(architecture: Architecture): Readonly<Record<string, number>> {
  const numbers = Array.from({ length: highestSyscall(architecture) + 1 }, (_, nr) => nr);
  return Object.fromEntries(
    numbers.flatMap((nr) => {
      const name = syscallName(architecture, nr);
      return name === undefined ? [] : [[name, nr]];
    }),
  );
}
