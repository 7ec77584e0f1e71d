import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';

/** Variables by name. */
export type Variables = Readonly<Record<string, string>>;

/**
 * Names that decide which code runs before the program does, and what happens with them. Sources: ld.so(8), "Environment";
 * glibc's list of variables that set-user-ID programs ignore, the documentations of its tunables, gconv and locales, openssl-env(7), of CPython's command line, Node.js, bash, Perl and Ruby.
 */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^LD_/, 'the loader obeys it'],
  [
    /^(?:GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|NIS_PATH|RESOLV_HOST_CONF|LOCPATH|NLSPATH|MALLOC_.*|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|TZDIR)$/,
    'the C library obeys it',
  ],
  [/^PYTHON/, 'Python runs isolated and would not look at it'],
  [/^NODE_/, 'Node.js obeys it'],
  [/^OPENSSL_/, 'OpenSSL loads the modules that it names'],
  [/^(?:BASH_ENV|ENV|BASHOPTS|SHELLOPTS|PS4|IFS|PERL5.*|PERLLIB|RUBYOPT|RUBYLIB)$/, 'interpreters obey it'],
  [/^(?:HOME|PATH|LANG|LC_.*|LANGUAGE|TMPDIR)$/, 'a cell has its own'],
];

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What a cell has, whoever asks, with `paths` of its own. Numeric libraries start a thread for each processor of the host, whatever a cell may have. */
export function cellEnvironment(own: Variables, processors: number, paths: Variables): Variables {
  for (const name of Object.keys(own)) checkName(name);
  return {
    LANG: 'C.UTF-8',
    OMP_NUM_THREADS: `${Math.min(4, processors)}`,
    ...paths,
    ...own,
  };
}

/** Reads `NAME=VALUE`. Throws E_USAGE; the value may be a secret and is in no message. */
export function parseVariable(text: string): readonly [name: string, value: string] {
  const [, name, value] = /^([^=]*)=([^]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new RootcellarError('E_USAGE', '--env: there is no `=` in it', { hint: '--env NAME=VALUE' });
  }
  checkName(name);
  return [name, value];
}

function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new RootcellarError('E_USAGE', `environment: ${quotedWord(name)} is no name of a variable`, {
      hint: 'use letters, digits and `_`, such as `MODE`',
    });
  }
  const reason = REFUSED.find(([pattern]) => pattern.test(name))?.[1];
  if (reason === undefined) return;
  throw new RootcellarError('E_POLICY', `environment: \`${name}\` cannot be set: ${reason}`, {
    hint: 'choose a name of your own, or put what it stands for into the image',
  });
}
