import { expect, it } from 'vitest';
import { libraryPackage } from '../../src/resolve/library-packages.ts';

it.each([
  ['libstdc++.so.6', 'trixie', 'libstdc++6'],
  ['libssl.so.3', 'bookworm', 'libssl3'],
  ['libssl.so.3', 'trixie', 'libssl3t64'],
  ['libssl.so.3', 'forky', 'libssl3t64'],
  ['libunheard-of.so.1', 'trixie', undefined],
])('libraryPackage() of %s in %s is %s', (library, suite, name) => {
  expect(libraryPackage(library, suite)).toBe(name);
});
