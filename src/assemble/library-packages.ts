/**
 * The Debian packages of libraries that wheels need and do not bring: those that the manylinux policies let them expect
 * (PEP 600, and the policy files of auditwheel), and what else scientific and graphical wheels are known to load.
 * Names as in bookworm; where trixie has another one since its 64-bit time transition, that one second.
 */
const PACKAGES: ReadonlyMap<string, readonly [bookworm: string, trixie?: string]> = new Map([
  ['libEGL.so.1', ['libegl1']],
  ['libGL.so.1', ['libgl1']],
  ['libICE.so.6', ['libice6']],
  ['libSM.so.6', ['libsm6']],
  ['libX11.so.6', ['libx11-6']],
  ['libXext.so.6', ['libxext6']],
  ['libXrender.so.1', ['libxrender1']],
  ['libatomic.so.1', ['libatomic1']],
  ['libblas.so.3', ['libblas3']],
  ['libbz2.so.1.0', ['libbz2-1.0']],
  ['libcrypto.so.3', ['libssl3', 'libssl3t64']],
  ['libcurl.so.4', ['libcurl4', 'libcurl4t64']],
  ['libexpat.so.1', ['libexpat1']],
  ['libffi.so.8', ['libffi8']],
  ['libfontconfig.so.1', ['libfontconfig1']],
  ['libfreetype.so.6', ['libfreetype6']],
  ['libgcc_s.so.1', ['libgcc-s1']],
  ['libgfortran.so.5', ['libgfortran5']],
  ['libglib-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libgmp.so.10', ['libgmp10']],
  ['libgobject-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['libgomp.so.1', ['libgomp1']],
  ['libgthread-2.0.so.0', ['libglib2.0-0', 'libglib2.0-0t64']],
  ['liblapack.so.3', ['liblapack3']],
  ['liblzma.so.5', ['liblzma5']],
  ['libpq.so.5', ['libpq5']],
  ['libquadmath.so.0', ['libquadmath0']],
  ['libreadline.so.8', ['libreadline8', 'libreadline8t64']],
  ['libsqlite3.so.0', ['libsqlite3-0']],
  ['libssl.so.3', ['libssl3', 'libssl3t64']],
  ['libstdc++.so.6', ['libstdc++6']],
  ['libtinfo.so.6', ['libtinfo6']],
  ['libuuid.so.1', ['libuuid1']],
  ['libxcb.so.1', ['libxcb1']],
  ['libz.so.1', ['zlib1g']],
  ['libzstd.so.1', ['libzstd1']],
]);

/** Suites from before the transition. */
const OLD_SUITES: ReadonlySet<string> = new Set(['bullseye', 'bookworm']);

/** The package of `suite` that has `library`; undefined for one that is not among the usual. */
export function libraryPackage(library: string, suite: string): string | undefined {
  const [before, after] = PACKAGES.get(library) ?? [];
  return OLD_SUITES.has(suite) ? before : (after ?? before);
}
