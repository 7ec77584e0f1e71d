import { describe, expect, it } from 'vitest';
import { storeHome } from '../../src/store/store-home.ts';

describe('storeHome()', () => {
  it('takes ROOTCELLAR_HOME before everything else', () => {
    const environment = { ROOTCELLAR_HOME: '/srv/cellar/', XDG_DATA_HOME: '/data', HOME: '/home/u' };
    expect(storeHome({ environment, uid: 0 })).toBe('/srv/cellar/');
    expect(storeHome({ environment, uid: 1000 })).toBe('/srv/cellar/');
  });

  it('is a system folder for root', () => {
    expect(storeHome({ environment: { HOME: '/root', XDG_DATA_HOME: '/data' }, uid: 0 })).toBe('/var/lib/rootcellar');
  });

  it('is in the data folder of another user', () => {
    expect(storeHome({ environment: { HOME: '/home/u', XDG_DATA_HOME: '/data' }, uid: 7 })).toBe('/data/rootcellar');
    expect(storeHome({ environment: { HOME: '/home/u' }, uid: 7 })).toBe('/home/u/.local/share/rootcellar');
  });

  it('ignores an empty ROOTCELLAR_HOME and a relative XDG_DATA_HOME', () => {
    const environment = { ROOTCELLAR_HOME: '', XDG_DATA_HOME: 'data', HOME: '/home/u' };
    expect(storeHome({ environment, uid: 7 })).toBe('/home/u/.local/share/rootcellar');
  });

  it('refuses a relative ROOTCELLAR_HOME', () => {
    expect(() => storeHome({ environment: { ROOTCELLAR_HOME: 'cellar' }, uid: 7 })).toThrow(/must be an absolute path/);
  });

  it('refuses to guess when nothing says where the user lives', () => {
    expect(() => storeHome({ environment: {}, uid: 7 })).toThrow(/neither `ROOTCELLAR_HOME` nor `HOME`/);
  });
});
