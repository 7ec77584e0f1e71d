import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { mergeDifyConfigs, parseDifyConfig, parseDifyVariables } from '../../src/recipe/dify-config.ts';

function values(config: ReturnType<typeof parseDifyConfig>): Record<string, string | readonly string[]> {
  return Object.fromEntries([...config].map(([key, { value }]) => [key, value]));
}

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof RootcellarError) {
      return error.problems.map(({ code, place, message }) => `${code} ${place?.line}:${place?.column} ${message}`);
    }
    throw error;
  }
  return [];
}

describe('parseDifyConfig()', () => {
  it('reads scalars as text, lists, and nested keys with dots; leaves out what has no value', () => {
    const text = [
      'app:',
      '  port: 8194',
      '  debug: True',
      '  key: dify-sandbox',
      'worker_timeout: 5',
      'python_lib_path:',
      '  - /usr/lib/python3',
      '  - "/etc/hosts"',
      'allowed_syscalls: # please leave it empty',
      'proxy:',
      "  socks5: ''",
    ].join('\n');
    expect(values(parseDifyConfig(text, 'config.yaml'))).toEqual({
      'app.port': '8194',
      'app.debug': 'true',
      'app.key': 'dify-sandbox',
      worker_timeout: '5',
      python_lib_path: ['/usr/lib/python3', '/etc/hosts'],
    });
  });

  it('knows where each key stands', () => {
    const config = parseDifyConfig('app:\n  port: 1\nmax_workers: 4\n', 'conf/config.yaml');
    expect(config.get('app.port')?.place).toEqual({ file: 'conf/config.yaml', line: 2, column: 3 });
    expect(config.get('max_workers')?.place.line).toBe(3);
  });

  it('names all values that cannot be settings', () => {
    expect(problemsOf(() => parseDifyConfig('app:\n  key: { a: 1 }\nallowed_syscalls: [[1]]\n', 'c'))).toEqual([
      'E_CONFIG_VALUE 2:3 `app.key`: dify-sandbox has no such setting, got a map',
      'E_CONFIG_VALUE 3:1 `allowed_syscalls`: dify-sandbox has no such setting, got a list',
    ]);
  });

  it.each(['', '\n', '# all\r\n\r\n  # of it\n', '\uFEFF# mark\n'])('reads %j as no settings', (text) => {
    expect(parseDifyConfig(text, 'c').size).toBe(0);
  });

  it('refuses what is no map, and what is no YAML', () => {
    expect(problemsOf(() => parseDifyConfig('- 1\n', 'c'))[0]).toContain('E_CONFIG_VALUE 1:1 `the configuration`');
    expect(problemsOf(() => parseDifyConfig('a: [\n', 'c'))[0]).toContain('E_RECIPE_SYNTAX');
  });
});

describe('parseDifyVariables()', () => {
  it('reads NAME=value lines, splits lists at commas, passes over other variables', () => {
    const text =
      '# compose\r\nAPI_KEY=secret\nexport WORKER_TIMEOUT="15"\nALLOWED_SYSCALLS=1, 2,3\nGIN_MODE=release\nHTTP_PROXY=\n';
    expect(values(parseDifyVariables(text, '.env'))).toEqual({
      'app.key': 'secret',
      worker_timeout: '15',
      allowed_syscalls: ['1', '2', '3'],
    });
  });

  it('shows nothing of a line that is no variable', () => {
    const [problem] = problemsOf(() => parseDifyVariables('A=1\nhunter2\n', '.env'));
    expect(problem).toBe('E_CONFIG_VALUE 2:1 a line of 7 characters is no variable');
  });
});

it('mergeDifyConfigs() lets variables win over the file', () => {
  const file = parseDifyConfig('worker_timeout: 5\nmax_workers: 4\n', 'c');
  const merged = mergeDifyConfigs(file, parseDifyVariables('WORKER_TIMEOUT=20', 'e'));
  expect(values(merged)).toEqual({ max_workers: '4', worker_timeout: '20' });
});
