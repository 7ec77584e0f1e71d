import { describe, expect, it } from 'vitest';
import { parseMarker } from '../../src/recipe/requirement-marker.ts';
import { markerHolds } from '../../src/resolve/marker-value.ts';

const TARGET = { architecture: 'arm64', pythonVersion: '3.13.5', glibc: '2.41' } as const;

describe('markerHolds()', () => {
  it.each([
    ['sys_platform == "linux" and os_name == "posix"', true],
    ['platform_machine == "aarch64"', true],
    ['platform_machine == "x86_64"', false],
    ['platform_machine in "x86_64 aarch64"', true],
    ['platform_machine not in "x86_64"', true],
    ['"win" in sys_platform', false],
    ['python_version >= "3.9"', true],
    ['python_version < "3.9"', false],
    ['"3.9" <= python_version', true],
    ['python_version == "3.13.*"', true],
    ['python_full_version ~= "3.13.2"', true],
    ['python_full_version < "3.13.5"', false],
    ['python_version in "3.12, 3.13"', true],
    ['os_name == "nt" or python_version > "3" and implementation_name == "cpython"', true],
    ['(os_name == "nt" or python_version > "3") and sys_platform == "win32"', false],
    ['platform_python_implementation != "PyPy"', true],
    ['platform_release >= "5"', false],
    ['platform_version == \'#1 "x"\'', false],
  ])('%s is %s', (text, expected) => {
    const marker = parseMarker(text);
    if (typeof marker !== 'string') throw new Error(marker.fault);
    expect(markerHolds(marker, TARGET)).toBe(expected);
  });
});
