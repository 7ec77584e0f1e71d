import type { Environment } from './resolver-settings.ts';

/** Everything that says how to reach an index is for us: the tool reaches the gate alone. */
export function uvVariables(url: string, environment: Environment): Environment {
  return {
    ...without(/^(?:PIP_|UV_(?!CACHE_DIR$|CONCURRENT))/, environment),
    ...DIRECT,
    UV_DEFAULT_INDEX: url,
    UV_NO_CONFIG: '1',
    UV_NO_CACHE: '1',
  };
}

/** As `uvVariables`. */
export function pipVariables(url: string, environment: Environment): Environment {
  return {
    ...without(/^(?:PIP|UV)_/, environment),
    ...DIRECT,
    PIP_INDEX_URL: url,
    PIP_CONFIG_FILE: '/dev/null',
    PIP_NO_CACHE_DIR: '1',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    PIP_NO_COLOR: '1',
  };
}

/** No proxy between a tool and the gate, and no credentials in what the tool can read. */
const DIRECT: Environment = Object.fromEntries(
  ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [
    [name, undefined],
    [name.toUpperCase(), undefined],
  ]),
);

function without(pattern: RegExp, environment: Environment): Environment {
  return Object.fromEntries(
    Object.keys(environment).flatMap((name) => (pattern.test(name) ? [[name, undefined]] : [])),
  );
}
