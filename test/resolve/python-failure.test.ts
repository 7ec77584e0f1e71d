import { describe, expect, it } from 'vitest';
import { readFailure } from '../../src/resolve/python-failure.ts';

const UV = 'error: No solution found when resolving dependencies\n  cause: ';
const PIP = 'ERROR: Could not find a version that satisfies the requirement ';

describe('readFailure()', () => {
  it.each([
    [
      `${UV}Because nope was not found in the package registry and you require nope, we can conclude …`,
      'E_REQUIREMENT_UNKNOWN',
      'nope',
      '',
    ],
    [
      `${UV}Because there is no version of numpy==99.0 and you require numpy==99.0, we …`,
      'E_REQUIREMENT_UNKNOWN',
      'numpy',
      '==99.0',
    ],
    [
      `${UV}Because all versions of docopt have no usable wheels and you require docopt, we …`,
      'E_REQUIREMENT_NO_WHEEL',
      'docopt',
      '',
    ],
    [
      `${UV}Because tensorflow==2.10.0 has no wheels with a matching Python ABI tag (e.g., \`cp313\`) and`,
      'E_REQUIREMENT_NO_WHEEL',
      'tensorflow',
      '==2.10.0',
    ],
    [
      `${UV}Because requests==2.31.0 depends on urllib3>=1.21.1,<3 and you require`,
      'E_REQUIREMENT_CONFLICT',
      undefined,
      '',
    ],
    [`${UV}Because you require numpy<2 and numpy>2, we can conclude`, 'E_REQUIREMENT_CONFLICT', undefined, ''],
    [
      'error: Request failed after 3 retries\n cause: Failed to fetch: https://u:p@i.example/x',
      'E_DOWNLOAD',
      undefined,
      '',
    ],
    [
      `${PIP}numpy==99.0 (from versions: 1.0)\nERROR: No matching distribution found for numpy==99.0`,
      'E_REQUIREMENT_UNKNOWN',
      'numpy',
      '==99.0',
    ],
    [
      'ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.',
      'E_REQUIREMENT_CONFLICT',
      undefined,
      '',
    ],
    [
      `WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'\n${PIP}six (from versions: none)\nERROR: No matching distribution found for six`,
      'E_DOWNLOAD',
      undefined,
      '',
    ],
    ["ERROR: Invalid requirement: 'a b'", 'E_REQUIREMENT_SYNTAX', undefined, ''],
    ['Segmentation fault', 'E_RESOLVER_FAILED', undefined, ''],
  ])('%s', (output, ...expected) => {
    const failure = readFailure('tool', output);
    expect([failure.code, failure.distribution, failure.specifier]).toEqual(expected);
    expect(failure.message).not.toMatch(/u:p|i\.example|from versions/);
  });
});
