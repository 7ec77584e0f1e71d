import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { formatCycloneDx } from '../../src/pack/cyclonedx.ts';
import { imageBill } from '../../src/pack/image-bill.ts';
import { formatSpdx } from '../../src/pack/spdx.ts';
import { file, filledTree } from './trees.ts';

const COPYRIGHT =
  'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: Expat or odd\n';
const { tree, contents } = filledTree([
  file('usr/lib/os-release', 'VERSION_CODENAME=trixie\n'),
  file(
    'usr/local/lib/python3.13/site-packages/foo-1.0.dist-info/METADATA',
    'Name: foo\nVersion: 1.0\nLicense-Expression: MIT\nRequires-Dist: Bar_x (>=1); python_version > "3"\nRequires-Dist: nope; extra == "x"\n',
  ),
  file('usr/local/lib/python3.13/site-packages/bar_x-2.dist-info/METADATA', 'Name: Bar.X\nVersion: 2\n'),
  file('usr/lib/libstdc++.so.6', 'elf'),
  file('usr/share/doc/libstdc++6/copyright', COPYRIGHT),
  file('var/lib/dpkg/info/libstdc++6.list', '/usr/lib/libstdc++.so.6\n'),
  file(
    'var/lib/dpkg/status.d/libstdc++6',
    'Package: libstdc++6\nVersion: 1:14-1\nArchitecture: amd64\nDepends: libc6 (>= 2.36),\n libz | zlib1g\n',
  ),
  file('var/lib/dpkg/status.d/zlib1g', 'Package: zlib1g\nVersion: 1\nArchitecture: amd64\n'),
]);
const SUBJECT = { name: 'toy', diffId: digestOf('tar'), epoch: 1_700_000_000, tree, contents };
const PURLS = [
  'pkg:deb/debian/libstdc%2B%2B6@1:14-1?arch=amd64&distro=trixie',
  'pkg:deb/debian/zlib1g@1?arch=amd64&distro=trixie',
  'pkg:pypi/bar-x@2',
  'pkg:pypi/foo@1.0',
];

it('formatSpdx() tells packages, licences and what depends on what', () => {
  const bill = JSON.parse(formatSpdx(imageBill(SUBJECT)));
  expect(bill).toMatchObject({ spdxVersion: 'SPDX-2.3', SPDXID: 'SPDXRef-DOCUMENT', dataLicense: 'CC0-1.0' });
  expect(bill.creationInfo).toEqual({ created: '2023-11-14T22:13:20Z', creators: ['Tool: rootcellar'] });
  const [image, ...packages] = bill.packages;
  expect(image).toMatchObject({ primaryPackagePurpose: 'CONTAINER', versionInfo: SUBJECT.diffId });
  expect(
    packages.map((one: { externalRefs: { referenceLocator: string }[] }) => one.externalRefs[0]?.referenceLocator),
  ).toEqual(PURLS);
  expect(packages.map((one: { licenseDeclared: string }) => one.licenseDeclared)).toEqual([
    '(MIT OR LicenseRef-odd)',
    'NOASSERTION',
    'NOASSERTION',
    'MIT',
  ]);
  expect(bill.hasExtractedLicensingInfos).toEqual([
    {
      licenseId: 'LicenseRef-odd',
      name: 'odd',
      extractedText: 'See /usr/share/doc/libstdc++6/copyright in the image.',
    },
  ]);
  const relations = bill.relationships.map((one: Record<string, string>) => {
    return `${one['spdxElementId']} ${one['relationshipType']} ${one['relatedSpdxElement']}`;
  });
  expect(relations).toEqual([
    'SPDXRef-DOCUMENT DESCRIBES SPDXRef-image',
    'SPDXRef-image CONTAINS SPDXRef-deb-libstdc.plus..plus.6',
    'SPDXRef-image CONTAINS SPDXRef-deb-zlib1g',
    'SPDXRef-image CONTAINS SPDXRef-wheel-bar-x',
    'SPDXRef-image CONTAINS SPDXRef-wheel-foo',
    'SPDXRef-deb-libstdc.plus..plus.6 DEPENDS_ON SPDXRef-deb-zlib1g',
    'SPDXRef-wheel-foo DEPENDS_ON SPDXRef-wheel-bar-x',
  ]);
});

it('formatSpdx() names every element by an id of its own, files by their digests', () => {
  const bill = JSON.parse(formatSpdx(imageBill(SUBJECT), { contents }));
  const ids = [...bill.packages, ...bill.files].map((one: { SPDXID: string }) => one.SPDXID);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id: string) => !/^SPDXRef-[A-Za-z0-9.-]+$/.test(id))).toEqual([]);
  const sha1 = createHash('sha1').update('elf').digest('hex');
  expect(bill.files).toHaveLength(1);
  expect(bill.files[0]).toMatchObject({
    fileName: './usr/lib/libstdc++.so.6',
    checksums: [{ algorithm: 'SHA1', checksumValue: sha1 }, {}],
  });
  expect(bill.packages[1]).toMatchObject({
    filesAnalyzed: true,
    packageVerificationCode: { packageVerificationCodeValue: createHash('sha1').update(sha1).digest('hex') },
  });
  expect(formatSpdx(imageBill(SUBJECT), { contents })).toBe(formatSpdx(imageBill(SUBJECT), { contents }));
});

it('formatCycloneDx() tells the same', () => {
  const bill = JSON.parse(formatCycloneDx(imageBill(SUBJECT)));
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
  expect(bill.components.map((one: { purl: string }) => one.purl)).toEqual(PURLS);
  expect(bill.components[3].licenses).toEqual([{ expression: 'MIT' }]);
  expect(bill.dependencies).toContainEqual({ ref: 'pkg:pypi/foo@1.0', dependsOn: ['pkg:pypi/bar-x@2'] });
  expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
