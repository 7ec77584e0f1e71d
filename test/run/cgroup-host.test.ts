import { describe, expect, it } from 'vitest';
import { cgroupHost, parseMembership } from '../../src/run/cgroup-host.ts';

const MOUNTS = [
  '27 1 254:0 / / rw - ext4 /dev/vda rw',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '36 31 0:33 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
  '41 31 0:38 / /sys/fs/cgroup/my\\040unified rw - cgroup2 cgroup2 rw',
].join('\n');

describe('parseMembership()', () => {
  it('finds the directory of each version 1 controller and of version 2', () => {
    const cgroup = '9:name=systemd:/\n8:pids:/docker/abc/me\n4:memory:/mine\n2:cpu,cpuacct:/\n0::/a/b\n';
    const { versionOne, versionTwo } = parseMembership(cgroup, MOUNTS);
    expect(Object.fromEntries(versionOne)).toEqual({
      pids: '/sys/fs/cgroup/pids/me',
      memory: '/sys/fs/cgroup/memory/mine',
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
    });
    expect(versionTwo).toEqual([
      '/sys/fs/cgroup/my unified/a/b',
      '/sys/fs/cgroup/my unified/a',
      '/sys/fs/cgroup/my unified',
    ]);
  });

  it('understands a path that a cgroup namespace has made relative to the mount', () => {
    const { versionOne } = parseMembership('8:pids:/\n', MOUNTS);
    expect(versionOne.get('pids')).toBe('/sys/fs/cgroup/pids');
  });

  it.each(['', 'nonsense', '0:', '::::', 'x::/'])('gets nothing from %j', (text) => {
    expect(parseMembership(text, text)).toEqual({ versionOne: new Map(), versionTwo: [] });
  });
});

describe('cgroupHost()', () => {
  const membership = { versionOne: new Map<string, string>(), versionTwo: ['/g/a/b', '/g/a', '/g'] };

  it('takes the nearest directory that hands memory and pids to its children', () => {
    const controls = new Map([
      ['/g/a/b', ''],
      ['/g/a', 'cpu memory pids\n'],
      ['/g', 'cpu memory pids io\n'],
    ]);
    expect(cgroupHost(membership, controls).versionTwo).toEqual({
      directory: '/g/a',
      controllers: ['cpu', 'memory', 'pids'],
    });
  });

  it('has no version 2 when no directory hands out enough', () => {
    expect(cgroupHost(membership, new Map([['/g', 'memory']])).versionTwo).toBeUndefined();
    expect(cgroupHost(membership, new Map()).versionTwo).toBeUndefined();
  });
});
