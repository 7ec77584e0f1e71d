import type { ImagePath } from '../base/image-path.ts';

/** Links of Debian's alternatives system that libraries and programs are found by: package, link, name, target. */
export const ALTERNATIVES: readonly (readonly [string, ImagePath, string, string])[] = [
  ['debianutils', 'usr/bin/which', 'which', '/usr/bin/which.debianutils'],
  ['gawk', 'usr/bin/awk', 'awk', '/usr/bin/gawk'],
  ['mawk', 'usr/bin/awk', 'awk', '/usr/bin/mawk'],
  [
    'libopenblas0-pthread',
    'usr/lib/MULTIARCH/libblas.so.3',
    'libblas.so.3-MULTIARCH',
    '/usr/lib/MULTIARCH/openblas-pthread/libblas.so.3',
  ],
  [
    'libopenblas0-pthread',
    'usr/lib/MULTIARCH/liblapack.so.3',
    'liblapack.so.3-MULTIARCH',
    '/usr/lib/MULTIARCH/openblas-pthread/liblapack.so.3',
  ],
  [
    'libopenblas0-pthread',
    'usr/lib/MULTIARCH/libopenblas.so.0',
    'libopenblas.so.0-MULTIARCH',
    '/usr/lib/MULTIARCH/openblas-pthread/libopenblas.so.0',
  ],
  ['libblas3', 'usr/lib/MULTIARCH/libblas.so.3', 'libblas.so.3-MULTIARCH', '/usr/lib/MULTIARCH/blas/libblas.so.3'],
  [
    'liblapack3',
    'usr/lib/MULTIARCH/liblapack.so.3',
    'liblapack.so.3-MULTIARCH',
    '/usr/lib/MULTIARCH/lapack/liblapack.so.3',
  ],
  ['tar', 'usr/sbin/rmt', 'rmt', '/usr/sbin/rmt-tar'],
];
