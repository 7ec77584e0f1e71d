import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { networkText } from '../../src/recipe/network.ts';
import { parseRecipe } from '../../src/recipe/recipe-reader.ts';
import { policyVocabulary } from '../../src/run/policy.ts';

function sandboxOf(network: string): unknown {
  const text = `name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\nsandbox:\n  network: ${network}\n`;
  return parseRecipe(text, { file: 'recipe.yaml', vocabulary: policyVocabulary() }).document.sandbox.network;
}

function faultsOf(network: string): readonly string[] {
  try {
    sandboxOf(network);
    return [];
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
  }
}

describe('networkSchema()', () => {
  it.each([
    ['none', 'none'],
    ['host', { mode: 'host', proxies: {} }],
    ['proxy', { mode: 'proxy', allow: [] }],
    [
      '{ proxy: { allow: [PyPI.org, "*.example.com", "10.5:8080"] } }',
      { mode: 'proxy', allow: ['*.example.com', '10.0.0.5:8080', 'pypi.org'] },
    ],
    [
      '{ host: { http: "http://${USER}:${PASSWORD}@p:3128", socks5: "${SOCKS}", no_proxy: [.corp] } }',
      {
        mode: 'host',
        proxies: { http: 'http://${USER}:${PASSWORD}@p:3128', socks5: '${SOCKS}', noProxy: ['.corp'] },
      },
    ],
  ])('reads %s', (text, network) => {
    expect(sandboxOf(text)).toEqual(network);
  });

  it.each([
    ['5', ['4:12 `sandbox.network` must be one of `none`, `proxy`, `host`, got `5`']],
    ['[proxy]', ['4:12 `sandbox.network` must be one of `none`, `proxy`, `host`, got a list']],
    ['{}', ['4:12 `sandbox.network` must have exactly one of `proxy` and `host`']],
    ['{ proxy: { allow: [a] }, host: {} }', ['4:12 `sandbox.network` must have exactly one of `proxy` and `host`']],
    ['{ prox: { allow: [a] }, host: {} }', ['4:14 unknown key `sandbox.network.prox`']],
    ['{ proxy: {} }', ['4:14 `sandbox.network.proxy.allow` is missing']],
    ['{ proxy: { allow: [] } }', ['4:30 `sandbox.network.proxy.allow` must not be empty']],
    [
      '{ proxy: { allow: [a b, 10.0.0.0/8] } }',
      [
        '4:31 `sandbox.network.proxy.allow[0]` must be a host, with or without a port, got `"a b"`',
        '4:36 `sandbox.network.proxy.allow[1]` must be a host, with or without a port, got `"10.0.0.0/8"`',
      ],
    ],
    ['{ proxy: { allow: [a, a] } }', ['4:34 `sandbox.network.proxy.allow` has `a` twice']],
    ['{ host: { http: "ftp://p" } }', ['4:28 `sandbox.network.host.http` must be the address of a proxy']],
    ['{ host: { socks5: "http://p" } }', ['4:30 `sandbox.network.host.socks5` must be the address of a proxy']],
    [
      '{ host: { no_proxy: ["a,b"] } }',
      ['4:33 `sandbox.network.host.no_proxy[0]` must be a host, without commas and blanks, got `"a,b"`'],
    ],
  ])('refuses %s', (text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it.each(['http://u:hunter2@p:1', 'http://hunter2@p', 'http://${U}:hunter2@p', 'http://hunter2:${P}@p'])(
    'refuses a secret, and does not repeat it: %s',
    (address) => {
      const [fault = ''] = faultsOf(`{ host: { https: "${address}" } }`);
      expect(fault).toContain('has a user or password in it');
      expect(fault).not.toContain('hunter2');
    },
  );
});

describe('networkText()', () => {
  it('says what a run may reach, without users and passwords', () => {
    expect(networkText('none')).toBe('none');
    expect(networkText({ mode: 'proxy', allow: ['a', 'b:1'] })).toBe('proxy: a, b:1');
    const proxies = { http: 'http://${U}:${P}@p:1/', noProxy: ['x', 'y'] };
    expect(networkText({ mode: 'host', proxies })).toBe('host: http http://p:1/, no_proxy x,y');
  });
});
