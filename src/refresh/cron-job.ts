import { createHash } from 'node:crypto';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatDuration } from '../base/units.ts';
import { parseReference } from '../publish/image-reference.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { RefreshSchedule } from '../recipe/recipe.ts';
import { cronFields } from './cron-fields.ts';

/** What the objects of one recipe depend on. */
export interface CronJobFacts {
  /** Of the recipe's image. */
  readonly name: string;
  readonly schedule: RefreshSchedule;
  /** What the container is made from: Node.js and this package. */
  readonly image: string;
  /** Of the recipe, in the container. */
  readonly recipePath: string;
}

type Plain = Readonly<Record<string, unknown>>;

/** By this line a file of objects is known as one that may be overwritten. */
export const OBJECTS_MARK = '# Written by `rootcellar schedule`; changes are lost where it writes this file again.';

/** In the container. */
const STORE = '/var/lib/rootcellar';
const HOUR_S = 3600;
/** Of one refresh, from when it begins. */
const LONGEST_S = 6 * HOUR_S;

/**
 * A claim for the store and the recipes, and a job that refreshes one of them. Throws E_USAGE for an interval that no five fields
 * can say, and for what no container can have. Source: the Kubernetes API, batch/v1 and v1.
 */
export function kubernetesObjects(facts: CronJobFacts): readonly Plain[] {
  checkContainer(facts);
  return [CLAIM, cronJob(facts)];
}

function checkContainer({ image, recipePath }: CronJobFacts): void {
  // Without a registry, a node takes the image from its own.
  if (!isReference(image) && !isReference(`docker.io/${image}`)) {
    throw new RootcellarError('E_USAGE', `--image: ${quotedWord(image)} is no name of an image`, {
      hint: '--image registry.example/rootcellar:1',
    });
  }
  if (recipePath.trim() !== '' && !/^-|\p{Cc}/u.test(recipePath)) return;
  throw new RootcellarError('E_USAGE', `--recipe-path: ${quotedWord(recipePath)} is no path of a recipe`, {
    hint: '--recipe-path /recipes/python',
  });
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof RootcellarError) return false;
    throw error;
  }
}

/** What is served and refreshed is one store: whoever serves from it mounts the same. */
const CLAIM: Plain = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'rootcellar' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
};

function cronJob(facts: CronJobFacts): Plain {
  const { name, schedule } = facts;
  const labels = { 'app.kubernetes.io/name': 'rootcellar', 'app.kubernetes.io/component': 'refresh' };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: objectName(name), labels },
    spec: {
      schedule: fiveFields(schedule, name),
      concurrencyPolicy: 'Forbid',
      // What was missed for longer is made up for by the next one.
      startingDeadlineSeconds: HOUR_S,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        spec: {
          // What failed is tried again by the schedule: at once it would fail again.
          backoffLimit: 0,
          // A job waits for its jitter within its time.
          activeDeadlineSeconds: LONGEST_S + jitterSeconds(schedule),
          ttlSecondsAfterFinished: 7 * 24 * HOUR_S,
          template: { metadata: { labels }, spec: podSpec(facts) },
        },
      },
    },
  };
}

/** As images/pod.yaml has it, for cells of tier A. */
function podSpec({ image, recipePath, schedule }: CronJobFacts): Plain {
  const jitter = `${jitterSeconds(schedule)}s`;
  return {
    restartPolicy: 'Never',
    hostUsers: false,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    containers: [
      {
        name: 'refresh',
        image,
        command: ['rootcellar'],
        args: ['refresh', '--once', '--jitter', jitter, '--json', recipePath],
        env: [{ name: 'ROOTCELLAR_HOME', value: STORE }],
        securityContext: SECURITY,
        resources: { requests: { cpu: '100m', memory: '512Mi' }, limits: { cpu: '2', memory: '2Gi' } },
        volumeMounts: [
          { name: 'rootcellar', mountPath: STORE, subPath: 'store' },
          { name: 'rootcellar', mountPath: '/recipes', subPath: 'recipes' },
          { name: 'run', mountPath: '/run' },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'rootcellar', persistentVolumeClaim: { claimName: 'rootcellar' } },
      { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
      { name: 'tmp', emptyDir: { sizeLimit: '2Gi' } },
    ],
  };
}

function jitterSeconds({ jitterMs }: RefreshSchedule): number {
  return Math.ceil(jitterMs / 1000);
}

const SECURITY: Plain = {
  runAsUser: 0,
  privileged: false,
  readOnlyRootFilesystem: true,
  capabilities: {
    drop: ['ALL'],
    add: ['SYS_ADMIN', 'SETUID', 'SETGID', 'SETPCAP', 'KILL', 'NET_ADMIN', 'DAC_OVERRIDE', 'CHOWN', 'FOWNER'],
  },
  seccompProfile: { type: 'Localhost', localhostProfile: 'rootcellar.json' },
  appArmorProfile: { type: 'Localhost', localhostProfile: 'rootcellar' },
};

/** A name of Kubernetes, at most 52 characters for a CronJob; the digest keeps apart what looks the same then. */
function objectName(name: string): string {
  const plain = `rootcellar-refresh-${name}`.toLowerCase();
  const fit = plain.replaceAll(/[^a-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  if (fit === `rootcellar-refresh-${name}` && fit.length <= LONGEST_NAME) return fit;
  return `${fit.slice(0, LONGEST_NAME - 9).replace(/-+$/, '')}-${hashOf(name).toString('hex').slice(0, 8)}`;
}

const LONGEST_NAME = 52;

function hashOf(name: string): Buffer {
  return createHash('sha256').update(name).digest();
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Each recipe at a minute, hour and day of its own, always the same: nothing else spreads those of a cluster. */
function fiveFields(schedule: RefreshSchedule, name: string): string {
  if (schedule.kind === 'cron') return plainFields(schedule.expression);
  const { everyMs } = schedule;
  const hash = hashOf(name);
  const [minute, hour, day] = [hash.readUInt16BE(0) % 60, hash.readUInt16BE(2) % 24, hash.readUInt16BE(4) % 7];
  const minutes = everyMs / MINUTE_MS;
  const hours = everyMs / HOUR_MS;
  if (Number.isInteger(minutes) && 60 % minutes === 0)
    return `${minutes === 60 ? minute : each(minutes, minute, 60)} * * * *`;
  if (Number.isInteger(hours) && 24 % hours === 0)
    return `${minute} ${hours === 24 ? hour : each(hours, hour, 24)} * * *`;
  if (everyMs === 7 * DAY_MS) return `${minute} ${hour} * * ${day}`;
  throw new RootcellarError('E_USAGE', `\`${name}\`: no CronJob comes every ${formatDuration(everyMs)}`, {
    hint: 'write `refresh: { cron: "17 4 * * *" }` into the recipe, or an interval that divides an hour, a day, or is 7d',
  });
}

/**
 * The same times in numbers alone: Kubernetes has no Sunday that is 7, no range that ends with it, and takes a step of `*` in one of the
 * kinds of days for no limit. Source: robfig/cron, spec.go, which it reads schedules with.
 */
function plainFields(expression: string): string {
  const { minutes, hours, days, months, weekdays } = cronFields(expression);
  return [minutes, hours, days, months, weekdays].map((numbers) => numbers?.join(',') ?? '*').join(' ');
}

/** Every `step`th number below `end`, `offset` being one of them. */
function each(step: number, offset: number, end: number): string {
  if (step === 1) return '*';
  return Array.from({ length: end / step }, (_, index) => (offset % step) + index * step).join(',');
}
