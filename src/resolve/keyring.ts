import type { Login } from './netrc.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { runTool } from './run-tool.ts';

/**
 * Asks the program `keyring` for the login of an address: by the address, then by its host, as uv and pip do.
 * Undefined when there is none, or no such program. Source: uv's reference, `--keyring-provider`; pip's "Authentication".
 */
export async function keyringLogin(url: URL, settings: ResolverSettings): Promise<Login | undefined> {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  const username = decodeURIComponent(url.username);
  return (await ask(bare.href, username, settings)) ?? (await ask(bare.host, username, settings));
}

async function ask(service: string, username: string, settings: ResolverSettings): Promise<Login | undefined> {
  const words = username === '' ? ['--mode', 'creds', 'get', service] : ['get', service, username];
  const result = await runTool({
    program: 'keyring',
    arguments: words,
    environment: settings.environment,
    folder: '/',
    signal: settings.signal,
    timeoutMs: 60_000,
  });
  if (result?.exitCode !== 0) return undefined;
  const lines = result.stdout.replace(/\r?\n$/, '').split(/\r?\n/);
  const [name, password] = username === '' ? lines : [username, lines.at(-1)];
  return name === undefined || password === undefined || password === '' ? undefined : { username: name, password };
}
