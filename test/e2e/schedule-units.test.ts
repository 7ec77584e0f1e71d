import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const CANNOT_ANALYSE = skipWithoutPrograms('systemd-analyze');

let machine: ToyMachine;
let work: Workplace;

beforeAll(async () => {
  machine = await startToyMachine({ debs: [{ name: 'app', version: '1' }] });
  work = await workplace();
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

function command(...words: readonly string[]): Promise<Ended> {
  return rootcellar(words, { home: work.path('store'), environment: machine.environment });
}

/** Below a folder with all that has a meaning in units. */
async function recipe(name: string, refresh: string): Promise<string> {
  const folder = work.path(`a b%c$d"e\\f`);
  return machine.recipe(folder, { name, packages: ['app', 'toy-python'], more: `refresh: ${refresh}\n` });
}

/** What systemd finds to say of units. */
function verified(folder: string): string {
  const files = readdirSync(folder).map((file) => join(folder, file));
  const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return `${stdout}${stderr}`;
}

function valuesOf(file: string, key: string): readonly string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
}

describe.skipIf(CANNOT_ANALYSE)('rootcellar schedule install --systemd', () => {
  it('writes units that systemd finds nothing to say of, for either manager, and removes them', async () => {
    const [every, cron] = [
      await recipe('every', '{ every: 90m, jitter: 30s }'),
      await recipe('cron', '{ cron: "17 4 13 * fri" }'),
    ];
    for (const flags of [[], ['--user']]) {
      const folder = work.path(`units${flags.length}`);
      const installed = await command('schedule', 'install', every, cron, '--output-dir', folder, ...flags);
      expect(installed, installed.stderr).toMatchObject({ status: 0 });
      expect(installed.stdout.trimEnd().split('\n')).toHaveLength(4);
      expect(verified(folder)).toBe('');
      const timer = join(folder, 'rootcellar-refresh-every.timer');
      expect([valuesOf(timer, 'OnUnitActiveSec'), valuesOf(timer, 'RandomizedDelaySec')]).toEqual([['5400s'], ['30s']]);
      const other = join(folder, 'rootcellar-refresh-cron.timer');
      expect(valuesOf(other, 'OnCalendar')).toEqual(['*-*-13 04:17:00', 'Fri *-*-* 04:17:00']);
      expect(valuesOf(other, 'Persistent')).toEqual(['yes']);
      // A recipe that is gone is named by its image.
      expect((await command('schedule', 'remove', every, 'cron', '--output-dir', folder)).status).toBe(0);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('says what it is with what cannot be', async () => {
    const plain = await machine.recipe(work.path('.'), { name: 'plain', packages: ['app'] });
    const folder = work.path('foreign');
    mkdirSync(folder);
    writeFileSync(join(folder, 'rootcellar-refresh-own.service'), '[Service]\n');
    const own = await recipe('own', '{ every: 1h }');
    expect((await command('schedule', 'show', plain)).stderr).toContain('`plain`: its recipe has no schedule');
    expect((await command('schedule', 'install', own, '--output-dir', folder)).stderr).toMatch(/was not written by/);
    expect((await command('schedule', 'remove', own, '--output-dir', folder)).stderr).toMatch(/was not written by/);
    expect(readdirSync(folder)).toEqual(['rootcellar-refresh-own.service']);
    expect((await command('schedule', 'install', own, '--kubernetes')).stderr).toContain('does not speak to a cluster');
    expect((await command('schedule', 'show', own, '-o', 'x')).stderr).toContain('are for --kubernetes');
  });

  it.each(['install', 'remove'])('%s takes no folder where none can be, and waits for no pipe', async (action) => {
    const own = await recipe('placed', '{ every: 1h }');
    await work.write({ [`${action}/file`]: 'mine', [`${action}/units/other`]: '' });
    const places = [work.path(action, 'file'), work.path(action, 'file/x'), work.path(action, 'n'.repeat(300))];
    for (const place of places) {
      const ended = await command('schedule', action, own, '--output-dir', place);
      expect(ended, ended.stderr).toMatchObject({ status: 2, stdout: '' });
      expect(ended.stderr).toMatch(/^error\[E_USAGE\] .*\n {2}hint: give .*\n$/);
    }
    expect(readFileSync(work.path(action, 'file'), 'utf8')).toBe('mine');
    execFileSync('mkfifo', [work.path(action, 'units/rootcellar-refresh-placed.timer')]);
    const ended = await command('schedule', action, own, '--output-dir', work.path(action, 'units'));
    expect(ended.stderr).toMatch(/^error\[E_USAGE\] .*is not a regular file\n {2}hint: mv /);
    expect(readdirSync(work.path(action, 'units'))).toEqual(['other', 'rootcellar-refresh-placed.timer']);
  });

  it.skipIf(process.geteuid?.() !== 0 || existsSync('/run/systemd/system'))(
    'writes nothing where there is no systemd to be told',
    async () => {
      const own = await recipe('nowhere', '{ every: 1h }');
      expect((await command('schedule', 'install', own)).stderr).toContain('systemd does not run here');
      expect(existsSync('/etc/systemd/system/rootcellar-refresh-nowhere.timer')).toBe(false);
    },
  );

  it('tells the manager, in this order', async () => {
    const own = await recipe('told', '{ every: 1h }');
    const program = work.path('bin/systemctl');
    mkdirSync(work.path('bin'));
    writeFileSync(
      program,
      `#!/bin/sh\necho "$@" >> '${work.path('calls')}'\n[ "$2" != "\${FAILS:-}" ] || { echo no bus >&2; exit 1; }\n`,
      { mode: 0o755 },
    );
    const environment = {
      ...machine.environment,
      PATH: `${work.path('bin')}:${machine.environment['PATH'] ?? ''}`,
      XDG_CONFIG_HOME: work.path('config'),
    };
    const run = (action: string, more = {}): Promise<Ended> =>
      rootcellar(['schedule', action, '--user', own], {
        home: work.path('store'),
        environment: { ...environment, ...more },
      });
    expect((await run('install')).stdout).toContain('config/systemd/user/rootcellar-refresh-told.timer\n');
    expect((await run('remove')).status).toBe(0);
    const timer = 'rootcellar-refresh-told.timer';
    expect(readFileSync(work.path('calls'), 'utf8').trimEnd().split('\n')).toEqual([
      '--user daemon-reload',
      `--user enable --now ${timer}`,
      `--user restart ${timer}`,
      `--user disable --now ${timer}`,
      '--user daemon-reload',
    ]);
  });

  it.each(['daemon-reload', 'enable', 'restart'])('leaves all as it was when systemctl %s fails', async (step) => {
    const place = work.path('undone', step);
    const calls = `${place}/calls`;
    await work.write({
      [`undone/${step}/systemctl`]: `#!/bin/sh\necho "$@" >> '${calls}'\n[ "$2" != "\${FAILS:-}" ] || { echo no bus >&2; exit 1; }\n`,
    });
    chmodSync(`${place}/systemctl`, 0o755);
    const environment = {
      ...machine.environment,
      PATH: `${place}:${machine.environment['PATH'] ?? ''}`,
      XDG_CONFIG_HOME: `${place}/config`,
    };
    const install = (refresh: string, fails: string): Promise<Ended> =>
      recipe('undone', refresh).then((own) =>
        rootcellar(['schedule', 'install', '--user', own], {
          home: work.path('store'),
          environment: { ...environment, FAILS: fails },
        }),
      );
    const failed = await install('{ every: 1h }', step);
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toMatch(
      new RegExp(`^error\\[E_SCHEDULE\\] systemctl ${step}: no bus\n {2}hint: give --output-dir`),
    );
    expect(readdirSync(place).toSorted()).toEqual(['calls', 'systemctl']);
    expect(readFileSync(calls, 'utf8').trimEnd().split('\n').slice(-2)).toEqual([
      '--user disable --now rootcellar-refresh-undone.timer',
      '--user daemon-reload',
    ]);
    expect((await install('{ every: 1h }', '')).status).toBe(0);
    const timer = `${place}/config/systemd/user/rootcellar-refresh-undone.timer`;
    const before = readFileSync(timer, 'utf8');
    expect((await install('{ every: 2h }', step)).status).toBe(1);
    expect(readFileSync(timer, 'utf8')).toBe(before);
    expect(readFileSync(calls, 'utf8')).toMatch(/--user try-restart rootcellar-refresh-undone.timer\n$/);
  });
});

describe.skipIf(CANNOT_SANDBOX || CANNOT_ANALYSE || process.geteuid?.() !== 0)('the service of a system', () => {
  it('can refresh under what its unit leaves it', async () => {
    const own = await recipe('hardened', '{ every: 1h }');
    const built = await command('build', own);
    expect(built, built.stderr).toMatchObject({ status: 0 });
    await machine.publishDebs([{ name: 'app', version: '2' }]);
    const folder = work.path('hardened-units');
    await command('schedule', 'install', own, '--output-dir', folder);
    const service = join(folder, 'rootcellar-refresh-hardened.service');
    const [line = ''] = valuesOf(service, 'ExecStart');
    const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
      (plain ?? quoted ?? '').replaceAll('$$', '$').replaceAll('%%', '%').replaceAll(/\\(.)/g, '$1'),
    );
    expect(words.slice(2)).toEqual(['refresh', '--once', own]);
    const result = await execa(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', CONFINED, 'sh', ...words],
      {
        reject: false,
        env: {
          ...process.env,
          ...machine.environment,
          ROOTCELLAR_HOME: work.path('store'),
          STORE: work.path('store'),
          RECIPE: own,
          BOUNDS: (valuesOf(service, 'CapabilityBoundingSet')[0] ?? '')
            .toLowerCase()
            .replaceAll('cap_', '+')
            .replaceAll(' ', ','),
        },
      },
    );
    expect(result, result.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('generation 2 is current'),
    });
    const exposure = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', service], {
      encoding: 'utf8',
    });
    expect(Number(/exposure level for .*: (\d+\.\d)/.exec(exposure)?.[1])).toBeLessThan(6);
  });
});

/** What can be had of ProtectSystem=strict, ReadWritePaths=, NoNewPrivileges= and CapabilityBoundingSet= without systemd. */
const CONFINED = `set -e
mkdir -p /run/rootcellar
for path in "$STORE" "$RECIPE" /run/rootcellar /tmp /var/tmp; do mount --bind "$path" "$path"; done
mount -o remount,bind,ro /
if mkdir /etc/rootcellar-may-write 2>/dev/null; then echo writable >&2; exit 9; fi
exec setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,$BOUNDS" "$@"`;

/** An object as kubectl itself types and writes it: what it does not know is gone, and what has another type is refused. */
function kubectl(object: string): unknown {
  const options = {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], KUBECONFIG: '/dev/null', HOME: '/nowhere' },
  } as const;
  const { status, stdout: version } = spawnSync('kubectl', ['version', '--client'], options);
  if (status !== 0 || Number(/v1\.(\d+)/.exec(version)?.[1]) < 30) {
    console.warn('NOT TESTED: the CronJob by kubectl, because there is none from 1.30 on');
    return JSON.parse(object);
  }
  const words = ['set', 'env', '--local', '-f', '-', '-o', 'json', 'ADDED=1'];
  // It writes nothing where nothing changes.
  return JSON.parse(execFileSync('kubectl', words, { ...options, input: object }), (key, value: unknown) =>
    key === 'env' && Array.isArray(value) ? value.filter(({ name }) => name !== 'ADDED') : value,
  );
}

describe('rootcellar schedule show --kubernetes', () => {
  it('gives objects that kubectl reads without losing a word', async () => {
    const own = await recipe('clustered', '{ every: 6h, jitter: 5m }');
    const file = work.path('objects.yaml');
    const words = ['--image', 'registry.example/rootcellar:1', '-o', file];
    expect((await command('schedule', 'install', '--kubernetes', own, ...words)).status).toBe(0);
    const [claim, job]: unknown[] = parseAllDocuments(readFileSync(file, 'utf8')).map((one): unknown => one.toJS());
    expect(claim).toMatchObject({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'rootcellar' } });
    expect(kubectl(`${JSON.stringify(job)}\n`)).toMatchObject(Object(job));
    expect(job).toMatchObject({
      kind: 'CronJob',
      spec: {
        schedule: expect.stringMatching(/^\d+ \d+,\d+,\d+,\d+ \* \* \*$/),
        concurrencyPolicy: 'Forbid',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never' } } } },
      },
    });
  });

  it('overwrites what it wrote itself, and nothing else', async () => {
    const own = await recipe('rewritten', '{ every: 6h }');
    const install = (file: string): Promise<Ended> =>
      command('schedule', 'install', '--kubernetes', own, '-o', work.path(file));
    await work.write({ 'hello.py': 'print(1)\n', 'empty.yaml': '' });
    for (const file of ['hello.py', 'empty.yaml']) {
      const ended = await install(file);
      expect(ended.stderr).toMatch(/^error\[E_USAGE\] .* was not written by `schedule install`\n {2}hint: mv /);
      expect(ended).toMatchObject({ status: 2, stdout: '' });
    }
    expect([readFileSync(work.path('hello.py'), 'utf8'), readFileSync(work.path('empty.yaml'), 'utf8')]).toEqual([
      'print(1)\n',
      '',
    ]);
    expect([(await install('own.yaml')).status, (await install('own.yaml')).status]).toEqual([0, 0]);
    const { stdout } = await command('schedule', 'show', '--kubernetes', own);
    expect(readFileSync(work.path('own.yaml'), 'utf8')).toBe(stdout);
    expect((await install('.')).stderr).toMatch(/is a folder\n {2}hint: give another path/);
  });

  it('ships what it gives', async () => {
    const shipped = join(import.meta.dirname, '../../images/kubernetes/refresh.yaml');
    const text = readFileSync(shipped, 'utf8');
    const folder = await machine.recipe(work.path('shipped'), {
      name: 'python',
      packages: ['app'],
      more: 'refresh: { every: 12h, jitter: 10m }\n',
    });
    const { stdout } = await command('schedule', 'show', '--kubernetes', folder);
    const uncommented = [text, stdout].map((one) => one.replaceAll(/^#.*\n/gm, ''));
    expect(uncommented[0]).toBe(uncommented[1]);
  });
});
