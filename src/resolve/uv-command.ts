import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { PythonTarget } from './python-tags.ts';

/** The glibc 2.x levels that uv has a platform name for. Source: `uv help pip compile`, `--python-platform`. */
const NEWEST_LEVEL = 40;
const OLDEST_SPELLED_LEVEL = 31;

/**
 * uv's name of a target's platform: the highest manylinux level that both the C library and uv know, such as
 * `x86_64-manylinux_2_40` for glibc 2.41.
 */
export function uvPlatform({ architecture, glibc }: PythonTarget): string {
  const level = Number(glibc.split('.')[1]);
  const known = level >= OLDEST_SPELLED_LEVEL ? Math.min(level, NEWEST_LEVEL) : level >= 28 ? 28 : 17;
  return `${ARCHITECTURE_FACTS[architecture].machine}-manylinux_2_${known}`;
}

/** Arguments that read requirements from stdin, and versions to prefer from `pylock.toml` in the working folder. */
export function uvArguments(target: PythonTarget, python: string | undefined): readonly string[] {
  return [
    'pip',
    'compile',
    '-',
    '--python-version',
    target.pythonVersion,
    '--python-platform',
    uvPlatform(target),
    '--only-binary',
    ':all:',
    '--generate-hashes',
    '--no-python-downloads',
    '--no-header',
    '--no-annotate',
    '--no-progress',
    '--color',
    'never',
    '--format',
    'pylock.toml',
    '--output-file',
    'pylock.toml',
    '--quiet',
    ...(python === undefined ? [] : ['--python', python]),
  ];
}

/** Variables of uv that say how to reach indexes; all others could change what is resolved. */
export const UV_KEPT: RegExp =
  /^(?:INDEX|DEFAULT_INDEX|EXTRA_INDEX_URL|KEYRING_PROVIDER|HTTP|REQUEST|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|CACHE_DIR|CONFIG_FILE|NO_CONFIG|OFFLINE|CREDENTIALS_DIR|CONCURRENT)/;
