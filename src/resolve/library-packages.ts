/**
 * The Debian packages of libraries that wheels need and do not bring: those that the manylinux policies let them expect
 * (PEP 600, and the policy files of auditwheel), and what else scientific and graphical wheels are known to load.
 * Names as in bookworm; where trixie has another one since its 64-bit time transition, that one second.
 */
const PACKAGES: ReadonlyMap<string, readonly [bookworm: string, trixie?: string]> = new Map([
  ['libEGL.so.1', ['libegl1']],
  ['libGL.so.1', ['libgl1']],
  ['libGLX.so.0', ['libglx0']],
  ['libICE.so.6', ['libice6']],
  ['libOpenGL.so.0', ['libopengl0']],
  ['libSM.so.6', ['libsm6']],
  ['libX11.so.6', ['libx11-6']],
  ['libXcomposite.so.1', ['libxcomposite1']],
  ['libXcursor.so.1', ['libxcursor1']],
  ['libXdamage.so.1', ['libxdamage1']],
  ['libXext.so.6', ['libxext6']],
  ['libXfixes.so.3', ['libxfixes3']],
  ['libXi.so.6', ['libxi6']],
  ['libXinerama.so.1', ['libxinerama1']],
  ['libXrandr.so.2', ['libxrandr2']],
  ['libXrender.so.1', ['libxrender1']],
  ['libXtst.so.6', ['libxtst6']],
  ['libasound.so.2', ['libasound2', 'libasound2t64']],
  ['libatk-1.0.so.0', ['libatk1.0-0', 'libatk1.0-0t64']],
  ['libatomic.so.1', ['libatomic1']],
  ['libblas.so.3', ['libblas3']],
  ['libbz2.so.1.0', ['libbz2-1.0']],
  ['libcairo.so.2', ['libcairo2']],
  ['libcrypto.so.3', ['libssl3', 'libssl3t64']],
  ['libcups.so.2', ['libcups2', 'libcups2t64']],
  ['libcurl.so.4', ['libcurl4', 'libcurl4t64']],
  ['libdbus-1.so.3', ['libdbus-1-3']],
  ['libdrm.so.2', ['libdrm2']],
  ['libexpat.so.1', ['libexpat1']],
  ['libffi.so.8', ['libffi8']],
  ['libfontconfig.so.1', ['libfontconfig1']],
  ['libfreetype.so.6', ['libfreetype6']],
  ['libgbm.so.1', ['libgbm1']],
  ['libgcc_s.so.1', ['libgcc-s1']],
  ['libgfortran.so.5', ['libgfortran5']],
  ['libgio-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libglib-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libgmodule-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libgmp.so.10', ['libgmp10']],
  ['libgobject-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libgomp.so.1', ['libgomp1']],
  ['libgthread-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libharfbuzz.so.0', ['libharfbuzz0b']],
  ['liblapack.so.3', ['liblapack3']],
  ['liblzma.so.5', ['liblzma5']],
  ['libmagic.so.1', ['libmagic1', 'libmagic1t64']],
  ['libnspr4.so', ['libnspr4']],
  ['libnss3.so', ['libnss3']],
  ['libodbc.so.2', ['libodbc2']],
  ['libpango-1.0.so.0', ['libpango-1.0-0']],
  ['libpangocairo-1.0.so.0', ['libpangocairo-1.0-0']],
  ['libpangoft2-1.0.so.0', ['libpangoft2-1.0-0']],
  ['libportaudio.so.2', ['libportaudio2']],
  ['libpq.so.5', ['libpq5']],
  ['libquadmath.so.0', ['libquadmath0']],
  ['libreadline.so.8', ['libreadline8', 'libreadline8t64']],
  ['libsndfile.so.1', ['libsndfile1']],
  ['libsqlite3.so.0', ['libsqlite3-0']],
  ['libssl.so.3', ['libssl3', 'libssl3t64']],
  ['libstdc++.so.6', ['libstdc++6']],
  ['libtinfo.so.6', ['libtinfo6']],
  ['libusb-1.0.so.0', ['libusb-1.0-0']],
  ['libuuid.so.1', ['libuuid1']],
  ['libxcb.so.1', ['libxcb1']],
  ['libxkbcommon.so.0', ['libxkbcommon0']],
  ['libxslt.so.1', ['libxslt1.1']],
  ['libz.so.1', ['zlib1g']],
  ['libzbar.so.0', ['libzbar0', 'libzbar0t64']],
  ['libzstd.so.1', ['libzstd1']],
]);

/** Suites from before the transition. */
const OLD_SUITES: ReadonlySet<string> = new Set(['bullseye', 'bookworm']);

/** The package of `suite` that has `library`; undefined for one that is not among the usual. */
export function libraryPackage(library: string, suite: string): string | undefined {
  const [before, after] = PACKAGES.get(library) ?? [];
  return OLD_SUITES.has(suite) ? before : (after ?? before);
}

/**
 * Names that the package of `soname` may have in `suite`, the likeliest first: the known one, and those that Debian's
 * rules make of the soname. Each has to be looked into: several may exist, and none need have it.
 * Source: Debian Policy §8.1; the names with `t64` are of the 64-bit time transition of 2024.
 */
export function candidatePackages(soname: string, suite: string): readonly string[] {
  const [, stem = '', version = ''] = /^(.+?)\.so(?:\.(.+))?$/.exec(soname) ?? [];
  const name = stem
    .toLowerCase()
    .replaceAll('_', '-')
    .replace(/-(\d[\d.]*)$/, /^\d/.test(version) ? '-$1' : '$1');
  const joined =
    /\d$/.test(name) && version !== '' ? [`${name}-${version}`] : [`${name}${version}`, `${name}-${version}`];
  const plain = joined.map((one) => one.replace(/-$/, ''));
  const later = plain.map((one) => `${one}t64`);
  const known = libraryPackage(soname, suite);
  const derived = OLD_SUITES.has(suite) ? [...plain, ...later] : [...later, ...plain];
  return [...new Set([...(known === undefined ? [] : [known]), ...derived])].filter((one) => one.startsWith('lib'));
}
