import { describe, expect, it } from 'vitest';
import { systemdUnits, type UnitFacts } from '../../src/refresh/systemd-units.ts';

const FACTS: UnitFacts = {
  name: 'python',
  command: ['/usr/bin/node', '/opt/rootcellar/main.js', 'refresh', '--once', '/recipes/python'],
  recipeFolder: '/recipes/python',
  storeHome: '/var/lib/rootcellar',
  installation: ['/usr/bin/node'],
  schedule: { kind: 'every', everyMs: 3_600_000, jitterMs: 0 },
  manager: 'system',
};

function placesOf(path: string): readonly UnitFacts[] {
  return [
    { ...FACTS, storeHome: path },
    { ...FACTS, recipeFolder: path },
    { ...FACTS, command: [...FACTS.command.slice(0, -1), path] },
    { ...FACTS, command: [path] },
  ];
}

describe('systemdUnits()', () => {
  it('refuses a path with a control character, by which a line would end or a path be another', () => {
    const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter((char) =>
      /\p{Cc}/u.test(char),
    );
    expect(controls).toHaveLength(65);
    for (const control of controls) {
      for (const facts of placesOf(`/x/h${control}ExecStartPre=nosuchcmd${control}#`)) {
        expect(() => systemdUnits(facts)).toThrow(
          expect.objectContaining({ code: 'E_USAGE', hint: expect.stringContaining('mv ') }),
        );
      }
    }
  });

  it('has as many lines with any other path as with a plain one', () => {
    const lines = systemdUnits(FACTS).map(({ text }) => text.split(/[\r\n]/).length);
    for (const facts of placesOf(`/a b%c$d"e\\f'g\u2028;#[Service]`)) {
      expect(systemdUnits(facts).map(({ text }) => text.split(/[\r\n]/).length)).toEqual(lines);
    }
  });
});
