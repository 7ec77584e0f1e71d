import { describe, expect, it } from 'vitest';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import { formatLockfile, hostFileJson } from '../../src/lock/lockfile-text.ts';
import type { Lockfile } from '../../src/lock/lockfile.ts';
import { pinResolution } from '../../src/lock/pin.ts';
import { targetKey } from '../../src/lock/target-key.ts';
import type { HostBase, Recipe } from '../../src/recipe/recipe.ts';
import { HOST_FILE_TIME, newestDate } from '../../src/resolve/epoch.ts';
import type { HostFile, Resolution, ResolvedTarget } from '../../src/resolve/resolution.ts';
import { TOY_RECIPE, toyDigest, withDiffId } from './toy-recipe.ts';

const PLACE = { file: 'recipe.yaml', line: 1, column: 1 };
const BASE: HostBase = {
  kind: 'host',
  pythonPath: { amd64: '/usr/bin/python3', arm64: '/usr/bin/python3' },
  libraries: [
    { path: 'auto', place: PLACE },
    { path: { amd64: '/opt/x' }, place: PLACE },
  ],
  place: PLACE,
};
const RECIPE: Recipe = { ...TOY_RECIPE, base: BASE };

const FILES: readonly HostFile[] = [
  { kind: 'link', path: '/etc/localtime', target: '/usr/share/zoneinfo/Etc/UTC' },
  { kind: 'folder', path: '/opt/x/empty' },
  { kind: 'left_out', path: '/opt/x/left' },
  { kind: 'file', path: '/usr/bin/python3.11', mode: 0o755, size: 7, digest: toyDigest('1') },
];

const TARGET: ResolvedTarget = {
  interpreter: {
    version: '3.11.2',
    path: '/usr/bin/python3.11',
    glibc: '2.36',
    sitePath: '/usr/local/lib/python3.11/dist-packages',
    prefix: '/usr/local',
    stdlib: '/usr/lib/python3.11',
  },
  indexes: [],
  debs: [],
  wheels: [],
  host: { files: FILES, folders: ['/opt/x'] },
};

function resolution(target: ResolvedTarget = TARGET): Resolution {
  return { epoch: newestDate([target]), resolvers: [], targets: new Map([['amd64', target]]) };
}

function withFiles(files: readonly HostFile[]): ResolvedTarget {
  return { ...TARGET, host: { files, folders: ['/opt/x'] } };
}

function keyOf(lock: Lockfile): string {
  const target = lock.targets.get('amd64');
  if (target === undefined) throw new Error('no target');
  return targetKey(lock, 'amd64', target);
}

const LOCK = withDiffId(pinResolution({ recipe: RECIPE, resolution: resolution() }), toyDigest('f'));

describe('host files in a lockfile', () => {
  it('stand a line each, and are read back', () => {
    const text = formatLockfile(LOCK);
    expect(text).toContain(`      "host_files": [
        { "kind": "link", "path": "/etc/localtime", "target": "/usr/share/zoneinfo/Etc/UTC" },
        { "kind": "folder", "path": "/opt/x/empty" },
        { "kind": "left_out", "path": "/opt/x/left" },
        { "digest": "${toyDigest('1')}", "kind": "file", "mode": "0755", "path": "/usr/bin/python3.11", "size": 7 }
      ],
      "host_folders": [
        "/opt/x"
      ],`);
    expect(text).toContain(
      '"python_lib_path": [\n            "auto",\n            { "amd64": "/opt/x" }\n          ],',
    );
    expect(text).toContain('"python_path": "/usr/bin/python3"');
    expect(parseLockfile(text, 'x')).toStrictEqual(LOCK);
  });

  it.each([
    [{ kind: 'file', path: 'relative', mode: '0644', size: 1, digest: toyDigest('1') }, 'path'],
    [{ kind: 'file', path: '/x/../y', mode: '0644', size: 1, digest: toyDigest('1') }, 'path'],
    [{ kind: 'file', path: '/x', mode: '4755', size: 1, digest: toyDigest('1') }, 'mode'],
    [{ kind: 'file', path: '/x', mode: '0644', size: -1, digest: toyDigest('1') }, 'size'],
    [{ kind: 'link', path: '/x', target: 'a\nb' }, 'target'],
    [{ kind: 'device', path: '/x' }, 'kind'],
    [{ kind: 'folder', path: '/opt/x/left' }, 'path'],
  ])('are refused where they cannot be: %j', (row, member) => {
    const json = JSON.parse(formatLockfile(LOCK));
    json.targets['linux/amd64'].host_files.push(row);
    expect(() => parseLockfile(JSON.stringify(json), 'x')).toThrow(
      expect.objectContaining({ code: 'E_LOCK_INVALID', message: expect.stringContaining(`].${member}`) }),
    );
  });

  it('decide the identity of the image, but for those that are left out', () => {
    const [link, , , file] = FILES;
    if (link?.kind !== 'link' || file?.kind !== 'file') throw new Error('other files');
    const changed = (files: readonly HostFile[]): Lockfile =>
      pinResolution({ recipe: RECIPE, resolution: resolution(withFiles(files)), previous: LOCK });
    const same = changed(FILES.map((one) => ({ ...one })));
    expect(same.targets.get('amd64')?.diffId).toBe(toyDigest('f'));
    for (const other of [
      FILES.slice(1),
      [{ ...link, target: '/elsewhere' }, ...FILES.slice(1)],
      [...FILES.slice(0, 3), { ...file, digest: toyDigest('2') }],
      [...FILES.slice(0, 3), { ...file, mode: 0o644 }],
    ]) {
      const lock = changed(other);
      expect(lock.targets.get('amd64')?.diffId).toBeUndefined();
      expect(keyOf(lock)).not.toBe(keyOf(LOCK));
    }
    expect(keyOf(changed(FILES.filter(({ kind }) => kind !== 'left_out')))).toBe(keyOf(LOCK));
  });

  it('have one date, whatever the machine says', () => {
    expect(LOCK.epoch).toEqual({ seconds: HOST_FILE_TIME, from: 'the date that all host files get' });
    expect(new Date(HOST_FILE_TIME * 1000).toISOString()).toBe('1980-01-01T00:00:00.000Z');
  });

  it('are told apart by every member', () => {
    expect(new Set(FILES.map((file) => JSON.stringify(hostFileJson(file)))).size).toBe(FILES.length);
  });
});
