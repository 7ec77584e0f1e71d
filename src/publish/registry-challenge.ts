/** How a registry wants to be told who asks. Source: RFC 9110, "WWW-Authenticate"; OCI distribution specification 1.1. */
export type Challenge =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

const CHALLENGE = /(?:^|,)\s*(basic|bearer)\b((?:\s*,?\s*[a-z_]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]+))*)/gi;
const PARAMETER = /([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/gi;
const LONGEST = 8192;

/** The strongest that is understood: a token, else user and password; undefined where neither is offered. */
export function parseChallenge(header: string): Challenge | undefined {
  const found = Array.from(header.slice(0, LONGEST).matchAll(CHALLENGE), ([, scheme = '', parameters = '']) => ({
    scheme: scheme.toLowerCase(),
    parameters: parametersOf(parameters),
  }));
  const bearer = found.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  if (bearer !== undefined) {
    const { parameters } = bearer;
    const realm = parameters.get('realm') ?? '';
    return { kind: 'bearer', realm, service: parameters.get('service'), scope: parameters.get('scope') };
  }
  return found.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

function parametersOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    Array.from(text.matchAll(PARAMETER), ([, name = '', quoted, plain]) => [
      name.toLowerCase(),
      quoted === undefined ? (plain ?? '') : quoted.replaceAll(/\\(.)/g, '$1'),
    ]),
  );
}
