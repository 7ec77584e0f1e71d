import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePipReport } from '../../src/resolve/pip-report.ts';

const HEX = 'ab'.repeat(32);
const ITEM = {
  metadata: { name: 'Foo_Bar', version: '1.0' },
  download_info: {
    url: 'https://u:p@i.example/f/foo_bar-1.0-py3-none-any.whl',
    archive_info: { hashes: { sha256: HEX } },
  },
};

describe('parsePipReport()', () => {
  it('reads name, version, file and digest', () => {
    expect(parsePipReport(JSON.stringify({ version: '1', install: [ITEM] }))).toEqual([
      { name: 'foo-bar', version: '1.0', file: 'foo_bar-1.0-py3-none-any.whl', digest: `sha256:${HEX}` },
    ]);
  });

  it('refuses a report in which a file has no sha256', () => {
    const item = { ...ITEM, download_info: { ...ITEM.download_info, archive_info: {} } };
    expect(parsePipReport(JSON.stringify({ install: [item] }))).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parsePipReport(`{"install":${text}}`) ?? []).toEqual([]);
      }),
    );
    expect(parsePipReport('')).toBeUndefined();
  });
});
