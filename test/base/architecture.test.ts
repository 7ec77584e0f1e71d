import { expect, it } from 'vitest';
import { parseArchitecture } from '../../src/base/architecture.ts';

it.each([
  ['amd64', 'amd64'],
  ['x86_64', 'amd64'],
  ['x64', 'amd64'],
  ['linux/amd64', 'amd64'],
  ['aarch64', 'arm64'],
  ['AArch64', 'arm64'],
  ['arm64/v8', 'arm64'],
  ['linux/arm64', 'arm64'],
  ['arm', undefined],
  ['', undefined],
])('parseArchitecture() knows %j as %j', (name, architecture) => {
  expect(parseArchitecture(name)).toBe(architecture);
});
