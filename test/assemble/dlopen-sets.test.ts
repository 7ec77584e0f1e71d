import { describe, expect, it } from 'vitest';
import { byNameText, missingByName } from '../../src/assemble/dlopen-sets.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

const LIB = 'usr/lib/x86_64-linux-gnu';
const LIBC = { [`${LIB}/libc.so.6`]: elfFacts({ versionsDefined: ['GLIBC_2.34'] }) };
const OLD_LIBC = { [`${LIB}/libc.so.6`]: elfFacts({ versionsDefined: ['GLIBC_2.31'] }) };
const UNWINDER = { [`${LIB}/libgcc_s.so.1`]: elfFacts() };

function missing(files: Readonly<Record<string, ElfFacts | string>>): readonly string[] {
  const { tree, contents } = treeOf(files);
  return missingByName(tree, contents, { architecture: 'amd64', cache: [] }).map(({ library }) => library);
}

describe('missingByName()', () => {
  it('asks for what glibc loads when threads are cancelled', () => {
    expect(missing(LIBC)).toEqual(['libgcc_s.so.1']);
    expect(missing({ ...LIBC, ...UNWINDER })).toEqual([]);
    expect(missing({ 'usr/bin/x': 'no libc' })).toEqual([]);
  });

  it('asks for the name services of nsswitch.conf, but for those that are part of this glibc', () => {
    const conf = {
      'etc/nsswitch.conf': '# hosts: no\nhosts: files mdns4 [NOTFOUND=return] dns\npasswd: files sss # x y\n',
    };
    expect(missing({ ...LIBC, ...UNWINDER, ...conf })).toEqual(['libnss_mdns4.so.2', 'libnss_sss.so.2']);
    expect(missing({ ...OLD_LIBC, ...UNWINDER, ...conf })).toContain('libnss_dns.so.2');
    const sss = { [`${LIB}/libnss_sss.so.2`]: elfFacts() };
    expect(missing({ ...LIBC, ...UNWINDER, ...conf, ...sss })).toEqual(['libnss_mdns4.so.2']);
  });

  it('asks for the providers that openssl.cnf activates, and for no others', () => {
    const conf =
      '[provider_sect]\ndefault = default_sect\nlegacy = legacy_sect\nfips = fips_sect\n[default_sect]\nactivate = 1\n' +
      '[legacy_sect]\nactivate = yes # on\n[fips_sect]\n# activate = 1\n';
    const files = { [`${LIB}/libcrypto.so.3`]: elfFacts(), 'etc/ssl/openssl.cnf': conf };
    expect(missing(files)).toEqual([`/${LIB}/ossl-modules/legacy.so`]);
    expect(missing({ ...files, [`${LIB}/ossl-modules/legacy.so`]: elfFacts() })).toEqual([]);
    expect(missing({ 'etc/ssl/openssl.cnf': conf })).toEqual([]);
  });

  it('asks for what Python packages load by ctypes', () => {
    const site = 'usr/local/lib/python3.13/dist-packages';
    const files = { [`${site}/python_magic-0.4.27.dist-info/METADATA`]: 'Name: python-magic' };
    expect(missing(files)).toEqual(['libmagic.so.1']);
    expect(missing({ ...files, [`${LIB}/libmagic.so.1`]: elfFacts() })).toEqual([]);
    const { tree, contents } = treeOf(files);
    const [found] = missingByName(tree, contents, { architecture: 'amd64', cache: [] });
    expect(found && byNameText(found)).toBe(
      '`libmagic.so.1`: not in the image, and loaded by name by the Python package `python_magic`; `shared_objects: [libmagic.so.1]` would bring it',
    );
  });
});
