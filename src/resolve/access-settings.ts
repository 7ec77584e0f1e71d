import { iniSections, parseToml, textOf, textsOf, wordsOf } from './index-settings.ts';
import type { Environment } from './resolver-settings.ts';

/** How uv's and pip's own settings say to reach indexes. */
export interface AccessSettings {
  /** Whether the program `keyring` may be asked for logins. */
  readonly keyring: boolean;
  /** Hosts, with or without `:PORT`, whose certificate is not checked. */
  readonly trustedHosts: readonly string[];
  /** Files with further authorities. */
  readonly authorities: readonly string[];
  readonly proxy: string | undefined;
}

export interface SettingsTexts {
  readonly environment: Environment;
  /** Least important first. */
  readonly uvTexts: readonly (string | undefined)[];
  readonly pipTexts: readonly (string | undefined)[];
}

/** Source: uv's reference, "Settings" and "Environment variables"; pip's documentation, "Configuration". */
export function accessSettings({ environment, uvTexts, pipTexts }: SettingsTexts): AccessSettings {
  const pip = new Map(pipTexts.flatMap((text) => pairsOf(text ?? '')));
  const uv: Readonly<Record<string, unknown>> = Object.assign(
    {},
    ...uvTexts.map((text) => parseToml(text ?? '') ?? {}),
  );
  const providers = [
    environment['UV_KEYRING_PROVIDER'] ?? textOf(uv['keyring-provider']),
    environment['PIP_KEYRING_PROVIDER'] ?? pip.get('keyring-provider'),
  ];
  return {
    keyring: providers.some((provider) => provider === 'subprocess' || provider === 'import' || provider === 'auto'),
    trustedHosts: [
      ...wordsOf(environment['UV_INSECURE_HOST']?.replaceAll(',', ' ')),
      ...wordsOf(environment['PIP_TRUSTED_HOST']),
      ...textsOf(uv['allow-insecure-host']),
      ...wordsOf(pip.get('trusted-host')),
    ],
    authorities: textsOf(pip.get('cert')),
    proxy: textOf(environment['PIP_PROXY']) ?? textOf(pip.get('proxy')),
  };
}

/** `[install]` wins over `[global]`. */
function pairsOf(text: string): readonly (readonly [string, string])[] {
  const sections = iniSections(text);
  return ['global', 'install'].flatMap((name) => Array.from(sections.get(name) ?? []));
}
