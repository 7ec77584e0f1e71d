import { ARCHITECTURE_FACTS, ARCHITECTURES } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { readableJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import { digestOf, type Digest } from '../base/digest.ts';
import { timeText } from '../base/time-text.ts';
import type {
  BuiltFrom,
  DebArtifact,
  Epoch,
  HostFile,
  Interpreter,
  SignedIndex,
  WheelArtifact,
  WheelOrigin,
} from '../resolve/resolution.ts';
import { LOCK_VERSION } from './lockfile.ts';
import type { LockedTarget, Lockfile } from './lockfile.ts';

/** Levels that get lines of their own: down to the lists in `recipe.inputs.base.debian`. */
const READABLE_DEPTH = 6;

/** The one text of a lockfile: keys and artifacts in byte order, an artifact a line. */
export function formatLockfile(lock: Lockfile): string {
  const targets = ARCHITECTURES.map((architecture) => {
    const target = lock.targets.get(architecture);
    return [ARCHITECTURE_FACTS[architecture].platform, target === undefined ? undefined : targetJson(target)] as const;
  });
  const json: Json = {
    version: LOCK_VERSION,
    format: lock.format,
    recipe: { name: lock.recipe.name, digest: lock.recipe.digest, inputs: lock.recipe.inputs },
    epoch: epochJson(lock.epoch),
    resolvers: lock.resolvers.map(({ name, version }) => ({ name, version })),
    targets: Object.fromEntries(targets),
    differences: lock.differences === undefined || lock.differences.length === 0 ? undefined : [...lock.differences],
    cooldown: lock.cutOff === undefined ? undefined : { cut_off: timeText(lock.cutOff) },
  };
  return readableJson(json, READABLE_DEPTH);
}

/** Of a lockfile's text. */
export function lockDigest(lock: Lockfile): Digest {
  return digestOf(formatLockfile(lock));
}

function targetJson(target: LockedTarget): Json {
  return {
    interpreter: target.interpreter === undefined ? undefined : interpreterJson(target.interpreter),
    indexes: target.indexes.map(indexJson),
    epoch: target.epoch === undefined ? undefined : epochJson(target.epoch),
    debs: target.debs.toSorted((a, b) => byteOrder(a.name, b.name)).map(debJson),
    wheels: target.wheels.toSorted((a, b) => byteOrder(a.name, b.name)).map(wheelJson),
    compilers: target.compilers?.toSorted((a, b) => byteOrder(a.name, b.name)).map(debJson),
    build_debs:
      target.buildDebs === undefined || target.buildDebs.length === 0
        ? undefined
        : target.buildDebs.toSorted((a, b) => byteOrder(a.name, b.name)).map(debJson),
    host_files: target.host?.files.toSorted((a, b) => byteOrder(a.path, b.path)).map(hostFileJson),
    host_folders: target.host?.folders.toSorted(byteOrder),
    shared_objects: target.sharedObjects?.map((wanted) => ({ ...wanted })),
    diff_id: target.diffId,
  };
}

function epochJson({ seconds, from }: Epoch): Json {
  return { seconds, from };
}

function interpreterJson({ sitePath, ...rest }: Interpreter): Json {
  return { ...rest, site_path: sitePath };
}

function indexJson({ inRelease, ...rest }: SignedIndex): Json {
  return { ...rest, in_release: inRelease };
}

function debJson(deb: DebArtifact): Json {
  return { ...deb, kind: undefined };
}

function wheelJson({ builtFrom, from, ...wheel }: WheelArtifact): Json {
  return {
    ...wheel,
    kind: undefined,
    from: from === undefined ? undefined : originJson(from),
    built_from: builtFrom === undefined ? undefined : builtFromJson(builtFrom),
  };
}

/** Name and version are the wheel's. */
function builtFromJson({ source, requirements }: BuiltFrom): Json {
  return {
    ...source,
    kind: undefined,
    name: undefined,
    version: undefined,
    requirements: requirements.toSorted((a, b) => byteOrder(a.name, b.name)).map(wheelJson),
  };
}

function originJson(from: WheelOrigin): Json {
  return 'findLinks' in from ? { find_links: from.findLinks } : { ...from };
}

/** As a line of a lockfile, and as what identifies it. */
export function hostFileJson(file: HostFile): { readonly [key: string]: Json } {
  return file.kind === 'file' ? { ...file, mode: file.mode.toString(8).padStart(4, '0') } : { ...file };
}
