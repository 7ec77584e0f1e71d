import { textOf, type DifyConfig } from './dify-config.ts';

/**
 * What the variables stand for that an imported recipe has in place of the users and passwords of proxies, by name. Only who
 * starts runs may know it.
 */
export function proxySecrets(config: DifyConfig): Readonly<Record<string, string>> {
  const pairs = (['socks5', 'https', 'http'] as const).flatMap((kind) => {
    const setting = config.get(`proxy.${kind}`);
    const text = setting === undefined ? '' : textOf(setting);
    if (!URL.canParse(text)) return [];
    const { username, password } = new URL(text);
    const name = `${kind.toUpperCase()}_PROXY`;
    return [
      [`${name}_USER`, username],
      [`${name}_PASSWORD`, password],
    ].filter(([, value]) => value !== '');
  });
  return Object.fromEntries(pairs);
}
