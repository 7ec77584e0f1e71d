import { describe, expect, it } from 'vitest';
import {
  conflictError,
  parseIndexTargets,
  parsePrintedUris,
  releaseFileOf,
  unknownPackages,
  updateError,
} from '../../src/resolve/apt-output.ts';

const HEX = 'ab'.repeat(32);

describe('parsePrintedUris()', () => {
  it('reads the quoted lines and skips apt’s prose', () => {
    const output = `Reading package lists...\n'http://x/debian/pool/a_1%2b2_amd64.deb' a_1+2_amd64.deb 12 SHA256:${HEX}\n`;
    expect(parsePrintedUris(output)).toEqual([
      { uri: 'http://x/debian/pool/a_1%2b2_amd64.deb', size: 12, digest: `sha256:${HEX}` },
    ]);
  });

  it('refuses a line without a sha256', () => {
    expect(parsePrintedUris(`'http://x/a.deb' a.deb 12 MD5Sum:${'a'.repeat(32)}\n`)).toBeUndefined();
  });
});

describe('parseIndexTargets()', () => {
  it('keeps Packages files only', () => {
    const row =
      'http://x/debian/\ttrixie\tmain\tmain/binary-amd64/Packages\t/l/x_dists_trixie_main_binary-amd64_Packages';
    const [target, ...others] = parseIndexTargets(`Packages\t${row}\nTranslations\t${row}\n\n`);
    expect(others).toEqual([]);
    expect(target?.suite).toBe('trixie');
    expect(target === undefined ? '' : releaseFileOf(target, 'InRelease')).toBe('/l/x_dists_trixie_InRelease');
  });
});

describe('updateError()', () => {
  it.each([
    ["E: The repository 'http://h.example/debian trixie InRelease' is not signed.", 'E_ARCHIVE_UNTRUSTED'],
    [
      'W: GPG error: http://h.example/debian trixie InRelease: The following signatures were invalid: BADSIG 1',
      'E_ARCHIVE_UNTRUSTED',
    ],
    [
      'E: Failed to fetch http://h.example/debian/dists/trixie/main/binary-amd64/Packages  Hash Sum mismatch',
      'E_ARCHIVE_UNTRUSTED',
    ],
    [
      'E: Release file for http://h.example/debian/dists/trixie/InRelease is expired (invalid since 1d)',
      'E_ARCHIVE_UNTRUSTED',
    ],
    ["E: The repository 'http://h.example/debian trixie Release' does not have a Release file.", 'E_ARCHIVE_UNKNOWN'],
    ['E: Failed to fetch http://u:p@h.example/debian/dists/trixie/InRelease  Connection failed', 'E_DOWNLOAD'],
  ])('%s', (line, code) => {
    const error = updateError(`Ign:1 x\n${line}\nE: Some index files failed to download.`);
    expect(error.code).toBe(code);
    expect(error.message).toContain('suite `trixie`');
    expect(`${error.message}${String(error.cause)}`).not.toContain('h.example');
  });
});

describe('unknownPackages()', () => {
  it('names each once, those without a candidate included', () => {
    const output =
      "E: Unable to locate package a\nE: Unable to locate package a\nE: Package 'b' has no installation candidate\n";
    expect(unknownPackages(output)).toEqual(['a', 'b']);
  });
});

describe('conflictError()', () => {
  it('gives apt’s reasons and not its advice', () => {
    const output =
      'Some packages…\n\nThe following packages have unmet dependencies:\n a : Depends: b but it is not installable\nE: Unable to correct problems, you have held broken packages.\n';
    expect(conflictError(output).message).toBe(
      'debian packages: they cannot be installed together:\n a : Depends: b but it is not installable',
    );
  });
});
