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
    expect(parsePipReport(JSON.stringify({ version: '1', install: [ITEM] }))?.wheels).toEqual([
      { name: 'foo-bar', version: '1.0', file: 'foo_bar-1.0-py3-none-any.whl', digest: `sha256:${HEX}` },
    ]);
  });

  it('reads which machine pip has resolved for', () => {
    const environment = { platform_machine: 'aarch64', python_full_version: '3.13.5', python_version: '3.13' };
    const report = parsePipReport(JSON.stringify({ install: [], environment }));
    expect(report?.environment).toEqual({ machine: 'aarch64', pythonVersion: '3.13.5' });
    const unknown = { machine: undefined, pythonVersion: undefined };
    expect(parsePipReport(JSON.stringify({ install: [] }))?.environment).toEqual(unknown);
  });

  it('leaves the digest open where pip did not look', () => {
    const item = { ...ITEM, download_info: { ...ITEM.download_info, archive_info: {} } };
    expect(parsePipReport(JSON.stringify({ install: [item] }))?.wheels[0]).toMatchObject({
      name: 'foo-bar',
      digest: undefined,
    });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parsePipReport(`{"install":${text}}`)?.wheels ?? []).toEqual([]);
      }),
    );
    expect(parsePipReport('')).toBeUndefined();
  });
});
