import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostFault, inHost, startInHost, type HostKind } from '../support/restricted-host.ts';
import { NATIVE } from './toy-cell.ts';

const COLUMNS: readonly HostKind[] = [
  'root',
  'docker-lifted',
  'pod-lifted',
  'rootless',
  'rootless-subuids',
  'docker-sysadmin',
  'docker',
  'crio',
  'kubernetes',
];

/** What each host lets a process do, in the order of COLUMNS: `ok`, `-` where nothing is to be said, or the error. */
const MATRIX: Readonly<Record<string, string>> = {
  chroot: 'ok EPERM EPERM EPERM EPERM ok ok EPERM EPERM',
  setuid: 'ok ok EINVAL EPERM EPERM ok ok ok EPERM',
  'user-namespace': 'ok EPERM EPERM ok ok ok EPERM EPERM EPERM',
  'mount-namespace': 'ok ok ok EPERM EPERM ok EPERM EPERM EPERM',
  'pid-namespace': 'ok ok ok EPERM EPERM ok EPERM EPERM EPERM',
  'network-namespace': 'ok ok ok EPERM EPERM ok EPERM EPERM EPERM',
  mount: 'ok ok ok EPERM EPERM ok EPERM EPERM EPERM',
  'user-mount': 'ok EPERM EPERM ok ok ok EPERM EPERM EPERM',
  'pivot-root': 'ok ok ok EPERM EPERM EPERM EPERM EPERM EPERM',
  'user-pivot-root': 'ok EPERM EPERM ok ok EPERM EPERM EPERM EPERM',
  clone3: 'ok ok ok ok ok ok ENOSYS ENOSYS ENOSYS',
  'user-proc': 'ok EPERM EPERM ok ok EPERM EPERM EPERM EPERM',
  cgroup: 'ok ok EROFS EACCES EACCES EROFS EROFS EROFS EROFS',
  landlock: 'ok ok ok ok ok ok ok ok ok',
  listener: 'ok ok ok ok ok ok ok ok ok',
  device: 'ok EPERM EPERM EPERM EPERM ok ok EPERM EPERM',
  keyctl: 'ok EPERM EPERM ok ok EPERM EPERM EPERM EPERM',
  'io-uring': 'EFAULT EPERM EPERM EFAULT EFAULT EPERM EPERM EPERM EPERM',
  sysctl: 'ok EROFS EACCES EACCES EACCES EROFS EROFS EROFS EACCES',
  'masked-proc': '- ENODATA ENODATA - - ENODATA ENODATA ENODATA ENODATA',
};

/** The same, as the launcher itself finds it. */
const CELL_ROWS = ['mount-namespace', 'pid-namespace', 'network-namespace', 'landlock'];

const folder = mkdtempSync(join(tmpdir(), 'rootcellar-probe-'));
const probe = join(folder, 'host-probe');

beforeAll(() => {
  chmodSync(folder, 0o755);
  const source = join(import.meta.dirname, '../support/programs/host-probe.c');
  execFileSync('gcc', ['-static', '-O1', '-Wall', '-Wextra', '-Werror', '-o', probe, source]);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(COLUMNS)('the host `%s`', (kind) => {
  const without = hostFault(kind) !== undefined;

  it.skipIf(without)('allows what such hosts are known to allow, and no more', async () => {
    const { stdout, stderr, status } = await inHost(kind, { words: [probe], folders: [folder] });
    const found = rows(stdout);
    const expected = Object.entries(MATRIX).map(
      ([name, row]) => [name, row.split(' ')[COLUMNS.indexOf(kind)]] as const,
    );
    const compared = expected.filter(([, value]) => value !== '-');
    expect(compared.map(([name]) => `${name} ${found.get(name)}`)).toEqual(compared.map((row) => row.join(' ')));
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  it.skipIf(without)('is what the launcher takes it for', async () => {
    const { stdout, status } = await inHost(kind, { words: [join(NATIVE, 'build/cell'), 'probe'] });
    const found = rows(stdout);
    expect(status).toBe(0);
    for (const name of CELL_ROWS) {
      const isThere = !['no', '0'].includes(found.get(name)?.split(' ')[0] ?? 'no');
      const expected = MATRIX[name]?.split(' ')[COLUMNS.indexOf(kind)];
      expect(`${name} ${isThere}`).toBe(`${name} ${expected === 'ok'}`);
    }
  });

  it.skipIf(without)('passes input, output and the exit status on', async () => {
    const words = ['sh', '-c', 'read line; echo "$line" "$OWN" >&2; exit 7'];
    const ended = await inHost(kind, { words, input: 'a line\n', environment: { OWN: 'variable' } });
    expect(ended).toEqual({ status: 7, stdout: '', stderr: 'a line variable\n' });
  });

  it.skipIf(without)('is gone with all its processes, mounts and groups when it is no longer needed', async () => {
    const words = ['sh', '-c', 'setsid sleep 1000 & setsid setsid sleep 1000 & echo ready; sleep 1000'];
    const hosted = startInHost(kind, { words });
    await new Promise((resolve) => {
      hosted.child.stdout?.once('data', resolve);
      hosted.child.once('close', resolve);
    });
    await expect.poll(() => hosted.processes().length).toBeGreaterThan(2);
    await hosted[Symbol.asyncDispose]();
    expect(hosted.processes()).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(hosted.place.folder);
    expect(groups().filter((name) => name === hosted.place.id)).toEqual([]);
  });
});

describe.skipIf(hostFault('docker') !== undefined)('a container', () => {
  it('changes nothing of this machine but the folders that it was given', async () => {
    const given = mkdtempSync(join(folder, 'given-'));
    const beside = join(folder, 'beside');
    writeFileSync(beside, 'as it was');
    const script = `echo in > ${given}/file; mkdir -p ${folder}; echo out > ${beside}; echo out > /etc/passwd; ls ${folder}`;
    const { stdout, stderr } = await inHost('docker', { words: ['sh', '-c', script], folders: [given] });
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^beside\ngiven-.*\n$/), stderr: '' });
    expect(readFileSync(join(given, 'file'), 'utf8')).toBe('in\n');
    expect(readFileSync(beside, 'utf8')).toBe('as it was');
    expect(readFileSync('/etc/passwd', 'utf8')).not.toBe('out\n');
  });
});

function rows(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}

function groups(): readonly string[] {
  return ['memory', 'freezer', 'pids', 'unified', '.'].flatMap((name) => {
    try {
      return readdirSync(join('/sys/fs/cgroup', name));
    } catch {
      return [];
    }
  });
}
