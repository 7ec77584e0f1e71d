import { describe, expect, it } from 'vitest';
import { hostDisk } from '../../src/assemble/host-disk.ts';
import { hostLibraries } from '../../src/assemble/host-libraries.ts';
import { parseArchitecture } from '../../src/base/architecture.ts';
import { toyHost } from './host-disks.ts';
import { elfFacts } from './elf-trees.ts';

const ARM64 = 183;

describe('hostLibraries()', () => {
  it('searches as the loader does: search paths, ld.so.conf, default folders; other machines’ files are passed over', () => {
    using host = toyHost({
      'etc/ld.so.conf': 'include /etc/ld.so.conf.d/*.conf\n',
      'etc/ld.so.conf.d/a.conf': '/opt/first\n/opt/third\n',
      'opt/first/libtwo.so.1': { machine: ARM64 },
      'opt/third/libtwo.so.1': {},
      'opt/first/libboth.so.1': { machine: ARM64 },
      'opt/second/libown.so.1': {},
      'opt/second/libboth.so.1': {},
      'usr/lib/x86_64-linux-gnu/libboth.so.1': '-> libboth.so.1.0',
      'usr/lib/x86_64-linux-gnu/libboth.so.1.0': {},
      'usr/local/lib/liblocal.so.1': {},
      'opt/first/libconf.so.1': {},
      'opt/bin/other': 'x',
      lib: '-> usr/lib',
    });
    const libraries = hostLibraries(host.disk, 'amd64');
    expect(libraries.findByName('libboth.so.1')).toMatchObject({ foundAt: '/lib/x86_64-linux-gnu/libboth.so.1' });
    expect(libraries.findByName('liblocal.so.1')?.foundAt).toBe('/usr/local/lib/liblocal.so.1');
    expect(libraries.findByName('libconf.so.1')?.foundAt).toBe('/opt/first/libconf.so.1');
    expect(libraries.findByName('libtwo.so.1')?.foundAt).toBe('/opt/third/libtwo.so.1');
    expect(libraries.findByName('libown.so.1')).toBeUndefined();
    const program = { path: 'opt/bin/program', elf: elfFacts({ runpath: ['$ORIGIN/../second'] }) };
    expect(libraries.find(program, 'libown.so.1', [])?.file.path).toBe('opt/second/libown.so.1');
    const loader = { path: 'opt/bin/program', elf: elfFacts({ rpath: ['$ORIGIN/../second'] }) };
    const library = { path: 'srv/lib.so', elf: elfFacts() };
    expect(libraries.find(library, 'libown.so.1', [loader])?.file.path).toBe('opt/second/libown.so.1');
    expect(hostLibraries(host.disk, 'arm64').findByName('libboth.so.1')?.file.path).toBe('opt/first/libboth.so.1');
    expect(libraries.configurationFor('/opt/first/libconf.so.1')).toEqual([
      '/etc/ld.so.conf',
      '/etc/ld.so.conf.d/a.conf',
    ]);
    expect(libraries.configurationFor('/usr/local/lib/liblocal.so.1')).toEqual([]);
  });

  it('finds the C library of the real machine', () => {
    const architecture = parseArchitecture(process.arch) ?? 'amd64';
    const libraries = hostLibraries(hostDisk(), architecture);
    const found = libraries.findByName('libc.so.6');
    expect(found?.file.elf.soname).toBe('libc.so.6');
    expect(libraries.findByName('libdoes-not-exist.so.1')).toBeUndefined();
  });
});
