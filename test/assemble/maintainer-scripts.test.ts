import { describe, expect, it } from 'vitest';
import { isTrivialScript, unreplacedScripts } from '../../src/assemble/maintainer-scripts.ts';

describe('isTrivialScript()', () => {
  it('knows what debhelper writes for Python packages and libraries', () => {
    const script = [
      '#!/bin/sh',
      'set -e',
      'if command -v py3compile >/dev/null 2>&1; then',
      '\tpy3compile -p python3-markupsafe:amd64 ',
      'fi',
      'if command -v pypy3compile >/dev/null 2>&1; then',
      '\tpypy3compile -p python3-markupsafe:amd64  || true',
      'fi',
      '',
    ];
    expect(isTrivialScript(script.join('\n'))).toBe(true);
    expect(isTrivialScript('# Triggers\nactivate-noawait ldconfig\n')).toBe(true);
  });

  it.each(['adduser x', 'py3compile -p a; adduser x', 'interest ldconfig', 'if command -v py3compile; rm x; then'])(
    'takes `%s` for something that acts',
    (line) => {
      expect(isTrivialScript(`#!/bin/sh\n${line}\n`)).toBe(false);
    },
  );
});

describe('unreplacedScripts()', () => {
  it('names scripts of unknown packages that act on installation', () => {
    expect(unreplacedScripts('odd', ['config', 'postinst', 'postrm', 'prerm', 'triggers'])).toEqual([
      'postinst',
      'triggers',
    ]);
    expect(unreplacedScripts('libc6', ['postinst'])).toEqual([]);
  });
});
