import { expect, it } from 'vitest';
import { debianLicence, wheelLicence } from '../../src/pack/licences.ts';

it.each([
  ['License-Expression: MIT AND (Apache-2.0 OR BSD-2-Clause)', 'MIT AND (Apache-2.0 OR BSD-2-Clause)'],
  ['Classifier: License :: OSI Approved :: MIT License', 'MIT'],
  ['Classifier: License :: OSI Approved :: BSD License', undefined],
  ['License: BSD-3-Clause', 'BSD-3-Clause'],
  ['License: see the file', undefined],
  ['Name: x\n\nLicense: MIT', undefined],
  ['License-Expression: <script>', undefined],
])('wheelLicence() of %j is %s', (metadata, licence) => {
  expect(wheelLicence(metadata)).toBe(licence);
});

function stanza(licence: string): string {
  return `\nFiles: *\nCopyright: x\nLicense: ${licence}\n text\n`;
}

it('debianLicence() joins what the stanzas of files name', () => {
  const head = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';
  expect(debianLicence(head + stanza('GPL-2+ or Artistic') + stanza('Expat') + stanza('public domain'))).toBe(
    '(GPL-2.0-or-later OR LicenseRef-Artistic) AND LicenseRef-public-domain AND MIT',
  );
  expect(debianLicence(`${head}${stanza('BSD-3-clause')}\nLicense: GPL-3\n not of files\n`)).toBe('BSD-3-Clause');
  expect(debianLicence('This package is free.')).toBeUndefined();
});
