import { describe, expect, it } from 'vitest';
import { isHostSpecific, isPassedOver } from '../../src/assemble/host-rules.ts';

describe('isHostSpecific()', () => {
  it.each([
    '/etc/resolv.conf',
    '/etc/hosts',
    '/etc/hostname',
    '/etc/machine-id',
    '/etc/shadow',
    '/etc/shadow-',
    '/etc/ssh/ssh_host_ed25519_key',
    '/etc/ssl/private/snakeoil.key',
    '/run/systemd/resolve/stub-resolv.conf',
    '/var/run/secrets/token',
    '/proc/self/environ',
    '/sys/class',
    '/dev/null',
    '/root/.ssh/known_hosts',
    '/srv/app/id_rsa',
    '/home/me/.netrc',
    '/home/me/.aws/credentials',
  ])('keeps %s out of images', (path) => {
    expect(isHostSpecific(path)).toBe(true);
  });

  it.each([
    '/etc/localtime',
    '/etc/nsswitch.conf',
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/hosts.allow',
    '/usr/share/zoneinfo/Etc/UTC',
    '/opt/run/x',
    '/usr/lib/python3/dist-packages/id_rsa.py',
  ])('lets %s in', (path) => {
    expect(isHostSpecific(path)).toBe(false);
  });
});

describe('isPassedOver()', () => {
  const rules = { stdlib: '/usr/lib/python3.11', loaderFolders: new Set(['/opt/conda/lib']) };
  it.each([
    ['/opt/app/__pycache__', false],
    ['/opt/app/module.pyc', true],
    ['/usr/lib/python3.11/test', false],
    ['/usr/lib/python3.11/unittest/test', false],
    ['/usr/lib/python3.11/idlelib', false],
    ['/usr/lib/python3.11/config-3.11-x86_64-linux-gnu', false],
    ['/usr/lib/python3.11/lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so', false],
    ['/usr/lib/python3.11/site-packages', false],
    ['/opt/conda/lib', false],
    ['/usr/share/zoneinfo/localtime', false],
  ])('passes over %s', (path, hasSource) => {
    expect(isPassedOver(path, hasSource, rules)).toBe(true);
  });

  it.each([
    ['/opt/app/module.pyc', false],
    ['/opt/app/test', false],
    ['/usr/lib/python3.11/json', false],
    ['/usr/lib/python3.11/unittest', false],
    ['/usr/lib/python3.11/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so', false],
    ['/usr/lib/python3.11/site-packages/numpy/tests', false],
    ['/usr/lib/python3.110/test', false],
    ['/opt/conda/library', false],
  ])('does not pass over %s', (path, hasSource) => {
    expect(isPassedOver(path, hasSource, rules)).toBe(false);
  });
});
