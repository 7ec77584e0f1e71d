import { byteOrder } from '../base/byte-order.ts';

/** SPDX identifiers that are recognised, of the SPDX License List; others become references with their own names. */
const KNOWN: ReadonlySet<string> = new Set(
  `0BSD AFL-2.1 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause
  BSD-3-Clause BSD-4-Clause BSD-4-Clause-UC BSL-1.0 BlueOak-1.0.0 CC-BY-4.0 CC-BY-SA-4.0 CC0-1.0 CECILL-2.1 EPL-2.0 FSFAP FSFUL FSFULLR
  FTL GFDL-1.2-only GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later
  HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng
  MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 NCSA OFL-1.1 OLDAP-2.8 OpenSSL PSF-2.0 PostgreSQL Python-2.0 Python-2.0.1 Qhull Sleepycat
  Unicode-3.0 Unicode-DFS-2016 Unlicense WTFPL X11 ZPL-2.1 Zlib bzip2-1.0.6 curl blessing`.split(/\s+/),
);

/** Classifiers that mean one licence. Those that leave the version open are not among them. */
const CLASSIFIERS: ReadonlyMap<string, string> = new Map([
  ['Apache Software License', 'Apache-2.0'],
  ['Boost Software License 1.0 (BSL-1.0)', 'BSL-1.0'],
  ['GNU Affero General Public License v3', 'AGPL-3.0-only'],
  ['GNU General Public License v2 (GPLv2)', 'GPL-2.0-only'],
  ['GNU General Public License v2 or later (GPLv2+)', 'GPL-2.0-or-later'],
  ['GNU General Public License v3 (GPLv3)', 'GPL-3.0-only'],
  ['GNU General Public License v3 or later (GPLv3+)', 'GPL-3.0-or-later'],
  ['GNU Lesser General Public License v2 or later (LGPLv2+)', 'LGPL-2.0-or-later'],
  ['GNU Lesser General Public License v3 (LGPLv3)', 'LGPL-3.0-only'],
  ['GNU Lesser General Public License v3 or later (LGPLv3+)', 'LGPL-3.0-or-later'],
  ['ISC License (ISCL)', 'ISC'],
  ['MIT License', 'MIT'],
  ['MIT No Attribution License (MIT-0)', 'MIT-0'],
  ['Mozilla Public License 2.0 (MPL 2.0)', 'MPL-2.0'],
  ['The Unlicense (Unlicense)', 'Unlicense'],
  ['zlib/libpng License', 'Zlib'],
]);

/** Short names of Debian's copyright format that are not those of SPDX. Source: copyright-format 1.0, "Short name". */
const DEBIAN_NAMES: ReadonlyMap<string, string> = new Map([
  ['apache-2', 'Apache-2.0'],
  ['bsd-2-clauses', 'BSD-2-Clause'],
  ['bsd-3-clauses', 'BSD-3-Clause'],
  ['bsd-3', 'BSD-3-Clause'],
  ['bsd-2', 'BSD-2-Clause'],
  ['expat', 'MIT'],
  ['cc0', 'CC0-1.0'],
  ['mit/x11', 'X11'],
  ['mpl-2', 'MPL-2.0'],
  ['psf-2', 'PSF-2.0'],
  ['python', 'Python-2.0'],
]);

/** The licence of a wheel by its METADATA; undefined where it gives none that has a name in SPDX. */
export function wheelLicence(metadata: string): string | undefined {
  const head = metadata.split(/\r?\n\r?\n/)[0] ?? '';
  const valuesOf = (field: string): readonly string[] => {
    return Array.from(head.matchAll(new RegExp(`^${field}:[ \\t]*([^\\r\\n]*)`, 'gim')), ([, value = '']) =>
      value.trim(),
    );
  };
  const [expression = ''] = valuesOf('License-Expression');
  if (isExpression(expression)) return expression;
  const found = valuesOf('Classifier').flatMap((text) => {
    return text.startsWith('License ::') ? (CLASSIFIERS.get(text.split(' :: ').at(-1) ?? '') ?? []) : [];
  });
  const unique = [...new Set(found)].toSorted(byteOrder);
  if (unique.length > 0) return unique.join(' OR ');
  const [plain = ''] = valuesOf('License');
  return KNOWN.has(plain) ? plain : undefined;
}

/**
 * The licences of a .deb by a machine-readable copyright file, all that its stanzas of files name, joined by AND; undefined
 * for a file of another form. What SPDX has no name for becomes a reference, such as `LicenseRef-public-domain`.
 */
export function debianLicence(copyright: string): string | undefined {
  if (!/^Format: *https?:\/\/www\.debian\.org\/doc\/packaging-manuals\/copyright-format\/1\.0/im.test(copyright)) {
    return undefined;
  }
  const terms = new Set<string>();
  for (const stanza of copyright.split(/\n[ \t]*\n/)) {
    if (!/^Files:/im.test(stanza)) continue;
    const [, names = ''] = /^License:[ \t]*([^\n]*)/im.exec(stanza) ?? [];
    const term = debianTerm(names.trim());
    if (term !== '') terms.add(term);
  }
  return terms.size === 0 ? undefined : [...terms].toSorted(byteOrder).join(' AND ');
}

/** `GPL-2+ or Artistic` as an expression; commas only group, and are taken as the word after them. */
function debianTerm(names: string): string {
  const alternatives = names
    .split(/,?\s+or\s+/i)
    .map((part) =>
      part
        .split(/,?\s+and\s+|,\s*/i)
        .map(debianName)
        .filter(Boolean)
        .join(' AND '),
    )
    .filter((part) => part !== '');
  const terms = alternatives.map((part) => (alternatives.length > 1 && part.includes(' AND ') ? `(${part})` : part));
  return terms.length > 1 ? `(${terms.join(' OR ')})` : (terms[0] ?? '');
}

function debianName(text: string): string {
  const name = text.replace(/\s+with\s.*$/i, ' with exception').trim();
  if (name === '') return '';
  const known =
    [...KNOWN].find((id) => id.toLowerCase() === name.toLowerCase()) ?? DEBIAN_NAMES.get(name.toLowerCase());
  if (known !== undefined) return known;
  const [, family = '', version = '', plus = ''] = /^(A?L?GPL|GFDL)-(\d(?:\.\d)?)(\+?)$/i.exec(name) ?? [];
  const number = version.includes('.') ? version : `${version}.0`;
  const spdx = `${family.toUpperCase()}-${number}-${plus === '' ? 'only' : 'or-later'}`;
  return KNOWN.has(spdx) ? spdx : referenceOf(name);
}

function referenceOf(name: string): string {
  return `LicenseRef-${name.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replaceAll(/^-+|-+$/g, '')}`;
}

/** References in an expression, in byte order: a bill has to say of each what it is. */
export function licenceReferences(expression: string): readonly string[] {
  return [...new Set(expression.match(/LicenseRef-[A-Za-z0-9.-]+/g))].toSorted(byteOrder);
}

/** Of known identifiers and operators only; exceptions after WITH are taken as they are. */
function isExpression(text: string): boolean {
  const words = text
    .replaceAll(/[()]/g, ' ')
    .replaceAll(/\bWITH\s+[\w.-]+/g, ' ')
    .trim()
    .split(/\s+/);
  return (
    text !== '' &&
    words.every(
      (word) => ['AND', 'OR'].includes(word) || KNOWN.has(word.replace(/\+$/, '')) || /^LicenseRef-[\w.-]+$/.test(word),
    )
  );
}
