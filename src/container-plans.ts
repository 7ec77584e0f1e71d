import { RootcellarError } from './base/rootcellar-error.ts';
import { startFromOutside } from './image-start.ts';
import { programWords, type Program } from './program-words.ts';
import { TIERS, type SandboxSettings, type Tier } from './recipe/recipe.ts';
import { cellEnvironment } from './run/cell-environment.ts';
import { cellLimits, resourceLimits } from './run/cell-limits.ts';
import { cellPaths, pathVariables } from './run/cell-start.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { heardFilter } from './run/heard-filter.ts';
import { isAtLeast, TIER_NEEDS } from './run/host-tier.ts';
import type { LaunchPlan } from './run/launch-plan.ts';
import { limitText } from './run/limit-text.ts';
import { networkPolicy } from './run/network-policy.ts';
import { placedPolicy } from './run/placed-policy.ts';
import { encodePreparedPlan, HOLE, RUN_ID, type PreparedPlan, type ProgramForm } from './run/prepared-plan.ts';
import { TOLD_STATUSES, type ToldStatus } from './run/prepared-plan.ts';
import { highestSyscall, syscallName } from './run/syscall-tables.ts';
import { readManifest, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import type { Store } from './store/store.ts';

/** Where a container has its cells' roots, by number (tier C); one, so that there is one run at a time. */
const SLOTS = '/rootfs';
/** Where a container has the root filesystem. It is not the container's own root: what is mounted there is none of a cell's. */
export const CONTAINER_ROOT: string = `${SLOTS}/0`;
/** Of a container in a user namespace, too: see `identityRange`. The launcher draws where in it a container begins. */
const FIRST_UID = 52_000;
const CONCURRENT_CELLS = 64;

/**
 * Image → a prepared plan for each tier that its recipe accepts, for `cell run` in a container that has the image's files at
 * `CONTAINER_ROOT`. Nothing of the machine that builds gets in. Such cells have no control groups and no network.
 * Throws E_POLICY where the image's programs are to have a network, E_PROGRAM_NOT_FOUND where nothing could run one.
 */
export async function containerPlans(store: Store, image: Image): Promise<ReadonlyMap<Tier, Uint8Array>> {
  const manifest = readManifest(image.manifest);
  checkContainerPolicy(image.name, manifest.sandbox);
  const tiers = TIERS.filter((tier) => isAtLeast(tier, manifest.sandbox.minimumTier));
  const plans = new Map<Tier, Uint8Array>();
  for (const tier of tiers) plans.set(tier, encodePreparedPlan(await preparedPlan({ store, image, manifest, tier })));
  return plans;
}

/** Throws E_POLICY where the programs of image `name` are to have a network: it would be another one wherever they run. */
export function checkContainerPolicy(name: string, { network }: SandboxSettings): void {
  if (network === 'none') return;
  throw new RootcellarError(
    'E_POLICY',
    `image \`${name}\`: its programs have a network, which \`cell\` alone has not`,
    {
      hint: '`network: none` in the recipe, or the image of the service: images/service.Dockerfile',
    },
  );
}

interface Wanted {
  readonly store: Store;
  readonly image: Image;
  readonly manifest: ImageManifest;
  readonly tier: Tier;
}

async function preparedPlan(wanted: Wanted): Promise<PreparedPlan> {
  const { image, manifest, tier } = wanted;
  const { architecture, name } = image;
  const numbers = Array.from({ length: highestSyscall(architecture) + 1 }, (_, number) => number);
  return {
    // Without control groups the launcher measures, by what /proc says of children.
    needs: [...TIER_NEEDS[tier], 'children'],
    words: await formWords(wanted),
    texts: toldTexts(manifest),
    calls: numbers.map((number) => syscallName(architecture, number) ?? ''),
    image: name,
    architecture,
    plan: planWithoutProgram(manifest, tier),
  };
}

function toldTexts({ sandbox }: ImageManifest): Readonly<Record<ToldStatus, string>> {
  const text = (status: ToldStatus): string => limitText(status, sandbox.limits) ?? status;
  const [timeout, cpu, oom, disk, output, denied] = TOLD_STATUSES;
  return {
    timeout: text(timeout),
    cpu_limit: text(cpu),
    oom: text(oom),
    disk_limit: text(disk),
    output_limit: text(output),
    denied: text(denied),
  };
}

/** Of tier C the folder of slots, of D the one that is made for a run. */
function placeOf(tier: Tier): string | undefined {
  if (tier === 'C') return SLOTS;
  return tier === 'D' ? `/tmp/cell-${RUN_ID}` : undefined;
}

function planWithoutProgram({ architecture, sandbox }: ImageManifest, tier: Tier): LaunchPlan {
  const { limits } = sandbox;
  const { memoryBytes, processes } = limits;
  const place = placeOf(tier);
  const paths = cellPaths(tier, CONTAINER_ROOT, place);
  // Of Landlock no more is taken for granted than that it is there.
  const placement = { architecture, tier, landlock: 0, hasNetwork: false, isCounted: false };
  const policy = placedPolicy(networkPolicy(sandbox, architecture), placement);
  return {
    tier,
    place,
    root: CONTAINER_ROOT,
    arguments: [],
    environment: cellEnvironment({}, 1, pathVariables(paths)),
    workingDirectory: paths.tmp,
    hostname: 'cell',
    program: undefined,
    identities: { firstUid: FIRST_UID, count: tier === 'A' ? CONCURRENT_CELLS : 1, lockFile: '/run/cell-ids' },
    limits: cellLimits(limits),
    resourceLimits: resourceLimits(limits, { tier, cgroups: undefined }),
    cgroups: undefined,
    watch: { memoryBytes, processes },
    filter: heardFilter(compileFilter(policy, architecture).program),
    hasProc: sandbox.proc,
  };
}

/** `.js`, so that it is Node.js that runs it; the launcher has the real name. */
const SCRIPT = `${HOLE}.js`;

const PROGRAMS: Readonly<Record<ProgramForm, Program>> = {
  code: { kind: 'code', code: HOLE },
  stdin: { kind: 'stdin' },
  file: { kind: 'file', file: { name: HOLE, content: new Uint8Array() } },
  script: { kind: 'file', file: { name: SCRIPT, content: new Uint8Array() } },
};

async function formWords(wanted: Wanted): Promise<PreparedPlan['words']> {
  const [code, stdin, file, script] = await Promise.all([
    wordsOf(wanted, PROGRAMS.code),
    wordsOf(wanted, PROGRAMS.stdin),
    wordsOf(wanted, PROGRAMS.file),
    wordsOf(wanted, PROGRAMS.script),
  ]);
  if (code === undefined) await programWords(question(wanted, PROGRAMS.code), wanted.store);
  return {
    ...(code === undefined ? {} : { code }),
    ...(stdin === undefined ? {} : { stdin }),
    ...(file === undefined ? {} : { file }),
    ...(script === undefined ? {} : { script }),
  };
}

/** Undefined: the image has no interpreter for that. */
async function wordsOf(wanted: Wanted, program: Program): Promise<readonly string[] | undefined> {
  const { store, image, tier } = wanted;
  const asked = question(wanted, program);
  try {
    const [interpreter = '', ...words] = await programWords(asked, store);
    const start =
      tier === 'D' ? await startFromOutside(store, image, { root: CONTAINER_ROOT, interpreter }) : [interpreter];
    return [...start, ...words].map((word) => (word === `${asked.folder}${SCRIPT}` ? `${asked.folder}${HOLE}` : word));
  } catch (error) {
    if (error instanceof RootcellarError && error.code === 'E_PROGRAM_NOT_FOUND') return undefined;
    throw error;
  }
}

function question({ image, manifest, tier }: Wanted, program: Program): Parameters<typeof programWords>[0] {
  return { image, manifest, program, folder: cellPaths(tier, CONTAINER_ROOT, placeOf(tier)).program };
}
