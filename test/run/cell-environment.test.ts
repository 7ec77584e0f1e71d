import { describe, expect, it } from 'vitest';
import { cellEnvironment, parseVariable } from '../../src/run/cell-environment.ts';

const PATHS = { HOME: '/tmp', PATH: '/usr/local/bin:/usr/bin:/bin' };

describe('cellEnvironment()', () => {
  it('has four variables of its own, and what is asked for', () => {
    expect(cellEnvironment({ MODE: 'test', OMP_NUM_THREADS: '1' }, 64, PATHS)).toEqual({
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      OMP_NUM_THREADS: '1',
      PATH: '/usr/local/bin:/usr/bin:/bin',
      MODE: 'test',
    });
    expect(cellEnvironment({}, 64, PATHS)['OMP_NUM_THREADS']).toBe('4');
    expect(cellEnvironment({}, 2, PATHS)['OMP_NUM_THREADS']).toBe('2');
  });

  it.each([
    'LD_PRELOAD',
    'LD_AUDIT',
    'LD_LIBRARY_PATH',
    'GLIBC_TUNABLES',
    'GCONV_PATH',
    'LOCPATH',
    'MALLOC_CHECK_',
    'GETCONF_DIR',
    'RESOLV_HOST_CONF',
    'OPENSSL_CONF',
    'OPENSSL_MODULES',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PYTHONHOME',
    'NODE_OPTIONS',
    'NODE_PATH',
    'BASH_ENV',
    'ENV',
    'PERL5LIB',
    'RUBYOPT',
    'PATH',
    'HOME',
    'LC_ALL',
  ])('refuses %s', (name) => {
    expect(() => cellEnvironment({ [name]: 'x' }, 1, PATHS)).toThrow(expect.objectContaining({ code: 'E_POLICY' }));
  });

  it.each(['', 'a b', '1X', 'A=B', 'X\n', 'É', 'A-B'])('refuses the name %j', (name) => {
    expect(() => cellEnvironment({ [name]: 'x' }, 1, PATHS)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});

describe('parseVariable()', () => {
  it('splits at the first equals sign and keeps the value as it is', () => {
    expect(parseVariable('A=b=c\n d')).toEqual(['A', 'b=c\n d']);
    expect(parseVariable('A=')).toEqual(['A', '']);
  });

  it('shows nothing of what may be a secret', () => {
    expect(() => parseVariable('hunter2')).toThrow('--env: there is no `=` in it');
  });
});
