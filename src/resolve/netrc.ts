export interface Login {
  readonly username: string;
  readonly password: string;
}

/** The login of a host in a netrc file; the `default` entry where the host has none. Source: netrc(5). */
export function netrcLogin(text: string, host: string): Login | undefined {
  const words = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.trim().split(/\s+/));
  let machine: string | undefined;
  const logins = new Map<string, { username: string; password: string }>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === 'machine') machine = words[(at += 1)];
    else if (word === 'default') machine = '';
    else if ((word === 'login' || word === 'password') && machine !== undefined) {
      const login = logins.get(machine) ?? { username: '', password: '' };
      const value = words[(at += 1)] ?? '';
      logins.set(machine, word === 'login' ? { ...login, username: value } : { ...login, password: value });
    }
  }
  return logins.get(host) ?? logins.get('');
}
