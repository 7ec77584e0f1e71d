import { describe, expect, it } from 'vitest';
import { parseCron } from '../../src/recipe/cron-expression.ts';
import type { RefreshSchedule } from '../../src/recipe/recipe.ts';
import { kubernetesObjects, type CronJobFacts } from '../../src/refresh/cron-job.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function facts(schedule: RefreshSchedule, name = 'python'): CronJobFacts {
  return { name, schedule, image: 'rootcellar', recipePath: `/recipes/${name}` };
}

function job(schedule: RefreshSchedule, name?: string): ReturnType<typeof Object> {
  return Object(kubernetesObjects(facts(schedule, name))[1]);
}

function every(everyMs: number): RefreshSchedule {
  return { kind: 'every', everyMs, jitterMs: 0 };
}

/** The members that an object may have, by the kind of place that it has; each with what stands there. */
type Shape = 'text' | 'number' | 'flag' | 'texts' | 'any' | readonly [Shape] | { readonly [key: string]: Shape };

/** As the API has them: batch/v1 CronJob and what is in it, as far as ours are used. */
const PROFILE: Shape = { type: 'text', localhostProfile: 'text' };
const CONTAINER: Shape = {
  name: 'text',
  image: 'text',
  command: 'texts',
  args: 'texts',
  env: [{ name: 'text', value: 'text' }],
  securityContext: {
    runAsUser: 'number',
    privileged: 'flag',
    readOnlyRootFilesystem: 'flag',
    capabilities: { add: 'texts', drop: 'texts' },
    seccompProfile: PROFILE,
    appArmorProfile: PROFILE,
  },
  resources: { requests: { cpu: 'text', memory: 'text' }, limits: { cpu: 'text', memory: 'text' } },
  volumeMounts: [{ name: 'text', mountPath: 'text', subPath: 'text' }],
};
const CRON_JOB: Shape = {
  apiVersion: 'text',
  kind: 'text',
  metadata: { name: 'text', labels: 'any' },
  spec: {
    schedule: 'text',
    concurrencyPolicy: 'text',
    startingDeadlineSeconds: 'number',
    successfulJobsHistoryLimit: 'number',
    failedJobsHistoryLimit: 'number',
    jobTemplate: {
      spec: {
        backoffLimit: 'number',
        activeDeadlineSeconds: 'number',
        ttlSecondsAfterFinished: 'number',
        template: {
          metadata: { labels: 'any' },
          spec: {
            restartPolicy: 'text',
            hostUsers: 'flag',
            automountServiceAccountToken: 'flag',
            enableServiceLinks: 'flag',
            containers: [CONTAINER],
            volumes: [
              {
                name: 'text',
                persistentVolumeClaim: { claimName: 'text' },
                emptyDir: { medium: 'text', sizeLimit: 'text' },
              },
            ],
          },
        },
      },
    },
  },
};

/** Places that are not as the shape has them. */
function faultsOf(value: unknown, shape: Shape, place = ''): readonly string[] {
  const types = { text: 'string', number: 'number', flag: 'boolean' } as const;
  if (shape === 'any') return [];
  if (shape === 'texts') return Array.isArray(value) && value.every((one) => typeof one === 'string') ? [] : [place];
  if (typeof shape === 'string') return typeof value === types[shape] ? [] : [place];
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [place];
    return value.flatMap((one, index) => faultsOf(one, shape[0], `${place}[${index}]`));
  }
  if (typeof value !== 'object' || value === null) return [place];
  const members: Readonly<Record<string, Shape>> = Object(shape);
  return Object.entries(value).flatMap(([key, member]) => {
    const inner = members[key];
    return inner === undefined ? [`${place}.${key}`] : faultsOf(member, inner, `${place}.${key}`);
  });
}

describe('kubernetesObjects()', () => {
  it('has the members of a CronJob and no others', () => {
    expect(faultsOf(job(every(HOUR)), CRON_JOB)).toEqual([]);
    const wrong = { ...job(every(HOUR)), spec: { schedule: 5, concurrency: 'Forbid' } };
    expect(faultsOf(wrong, CRON_JOB)).toEqual(['.spec.schedule', '.spec.concurrency']);
  });

  it('mounts only volumes that there are, and the claim', () => {
    const [claim, own] = kubernetesObjects(facts(every(HOUR)));
    const { containers, volumes } = Object(own).spec.jobTemplate.spec.template.spec;
    const names = volumes.map((volume: { readonly name: string }) => volume.name);
    for (const mount of containers[0].volumeMounts) expect(names).toContain(mount.name);
    expect(volumes[0].persistentVolumeClaim.claimName).toBe(Object(claim).metadata.name);
  });

  it.each<readonly [number, RegExp]>([
    [MINUTE, /^\* \* \* \* \*$/],
    [20 * MINUTE, /^(\d|1\d),(2\d|3\d),(4\d|5\d) \* \* \* \*$/],
    [HOUR, /^\d+ \* \* \* \*$/],
    [8 * HOUR, /^\d+ [0-7],([89]|1[0-5]),(1[6-9]|2[0-3]) \* \* \*$/],
    [24 * HOUR, /^\d+ \d+ \* \* \*$/],
    [168 * HOUR, /^\d+ \d+ \* \* [0-6]$/],
  ])('says every %s ms in five fields', (everyMs, expected) => {
    for (const name of ['python', 'a', 'b', 'c']) {
      const { schedule } = job(every(everyMs), name).spec;
      expect(schedule).toMatch(expected);
      expect(parseCron(schedule)).toEqual({ value: schedule });
    }
  });

  it.each([
    ['17 4 13 * fri', '17 4 13 * 5'],
    ['0 0 * jan-mar 7', '0 0 * 1,2,3 0'],
    ['*/20 */12 */10 * fri-sun', '0,20,40 0,12 1,11,21,31 * 0,5,6'],
  ])('says `%s` as Kubernetes reads it', (expression, expected) => {
    expect(job({ kind: 'cron', expression, jitterMs: 0 }).spec.schedule).toBe(expected);
  });

  it('refuses an interval that no fields can say', () => {
    for (const ms of [90 * MINUTE, 7 * HOUR, 48 * HOUR, 61_000, MINUTE / 2]) {
      expect(() => job(every(ms))).toThrow('`python`: no CronJob comes every');
    }
  });

  it('gives a job the time of its jitter, too', () => {
    for (const [jitterMs, seconds] of [
      [0, 21_600],
      [24 * HOUR, 108_000],
      [1500, 21_602],
    ] as const) {
      const { spec } = job({ kind: 'every', everyMs: HOUR, jitterMs }).spec.jobTemplate;
      expect(spec.activeDeadlineSeconds).toBe(seconds);
      expect(spec.template.spec.containers[0].args).toContain(`${seconds - 21_600}s`);
    }
  });

  it.each([
    'rootcellar',
    'rootcellar:1',
    'team/rootcellar',
    'localhost:5000/a/b:x',
    `r.example/a@sha256:${'0'.repeat(64)}`,
  ])('takes the image %s', (image) => expect(kubernetesObjects({ ...facts(every(HOUR)), image })).toHaveLength(2));

  it.each(['', 'a b', 'Team/x', 'a:', 'https://r.example/x', 'x\n', '-x', '../x'])('refuses the image %j', (image) => {
    expect(() => kubernetesObjects({ ...facts(every(HOUR)), image })).toThrow(
      expect.objectContaining({
        code: 'E_USAGE',
        message: expect.stringMatching(/^--image: .* is no name of an image$/),
      }),
    );
  });

  it.each(['', ' ', '--help', '/recipes/a\nb'])('refuses the path %j of a recipe', (recipePath) => {
    expect(() => kubernetesObjects({ ...facts(every(HOUR)), recipePath })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining('--recipe-path: ') }),
    );
  });

  it('has a name that Kubernetes takes, another one for each image', () => {
    const names = ['python', 'Python', 'py_thon', 'py.thon', 'a'.repeat(128), `${'a'.repeat(127)}b`, 'a-'];
    const own = names.map((name) => String(job(every(HOUR), name).metadata.name));
    for (const name of own) expect(name).toMatch(/^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$/);
    expect(new Set(own).size).toBe(names.length);
    expect(own[0]).toBe('rootcellar-refresh-python');
  });
});
