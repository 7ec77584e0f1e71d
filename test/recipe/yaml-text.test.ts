import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { parseYaml } from '../../src/recipe/yaml-text.ts';

/** `line:column message` of each problem, whether thrown or returned. */
function problemsOf(text: string): string[] {
  try {
    return parseYaml(text, 'r.yaml').problems.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
  }
}

describe('parseYaml()', () => {
  it('gives plain data by the core schema of YAML 1.2', () => {
    const text = 'a: yes\nb: 0o17\nc: 017\nd: ~\ne: [1.5, "x", {f: true}]\ng: 12:30\n';
    expect(parseYaml(text, 'r.yaml').value).toEqual({
      a: 'yes',
      b: 15,
      c: 17,
      d: null,
      e: [1.5, 'x', { f: true }],
      g: '12:30',
    });
  });

  it('knows where keys and values stand', () => {
    const yaml = parseYaml('a: 1\nb:\n  - x\n  - c:  y\n', 'r.yaml');
    expect(yaml.keyPlace(['b', 1, 'c'])).toEqual({ file: 'r.yaml', line: 4, column: 5 });
    expect(yaml.valuePlace(['b', 1, 'c'])).toEqual({ file: 'r.yaml', line: 4, column: 9 });
    expect(yaml.valuePlace(['b', 0, 'no', 'such'])).toEqual({ file: 'r.yaml', line: 3, column: 5 });
  });

  it('follows aliases', () => {
    expect(parseYaml('a: &x [1]\nb: *x\nc: {d: *x}\n', 'r.yaml').value).toEqual({ a: [1], b: [1], c: { d: [1] } });
  });

  it.each([
    ['', '1:1 the file is empty'],
    ['# only a comment\n', '1:1 the file is empty'],
    ['a: 1\na: 2\n', '2:1 the key `a` is there already, in line 1'],
    ['{a: 1, "a": 2}\n', '1:8 the key `a` is there already, in line 1'],
    ['a: 1\n---\nb: 2\n', '2:1 a second YAML document begins here'],
    ['%YAML 1.1\n---\na: yes\n', '1:1 YAML directives are not allowed'],
    ['\ta: 1\n', '1:1 not valid YAML: tabs are not allowed as indentation'],
    ['a: "x\n', '2:1 not valid YAML: missing closing "quote'],
    ['a: b\0c\n', '1:5 the character U+0000 is not allowed'],
    ['a: \u001b[31m\n', '1:4 the character U+001B is not allowed'],
    ['a: \ud800\n', '1:4 the character U+D800 is not allowed'],
    ['a: &x [*x]\n', '1:8 the alias `*x` contains itself'],
    ['a: &x {b: {c: *x}}\n', '1:15 the alias `*x` contains itself'],
    ['a: *x\n', '1:4 the alias `*x` has no anchor before it'],
    ['? [a]\n: 1\n', '1:3 a key must be text'],
    ['1: a\n', '1:1 a key must be text'],
    ['null: a\n', '1:1 a key must be text'],
    ['__proto__: 1\n', '1:1 unknown key `__proto__`'],
    ['a: !!js/function "x"\n', '1:18 the tag `tag:yaml.org,2002:js/function` is not allowed'],
    ['a: !!binary eA==\n', '1:13 the tag `tag:yaml.org,2002:binary` is not allowed'],
  ])('refuses %j with its place', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('takes a merge key for a plain key', () => {
    expect(parseYaml('a: &x {b: 1}\nc: {<<: *x}\n', 'r.yaml').value).toEqual({ a: { b: 1 }, c: { '<<': { b: 1 } } });
  });

  it.each([
    ['sequences', (below: number) => `*a${below}`],
    ['merge keys', (below: number) => `{<<: *a${below}}`],
  ])('refuses a bomb of nested %s', (_, alias) => {
    const levels = Array.from({ length: 20 }, (__, level) => {
      return level === 0
        ? 'a0: &a0 [x]'
        : `a${level}: &a${level} [${Array.from({ length: 9 }, () => alias(level - 1)).join(', ')}]`;
    });
    expect(problemsOf(levels.join('\n'))).toEqual([expect.stringContaining('aliases make the recipe too large')]);
  });

  it('refuses a long text that many aliases repeat', () => {
    const text = `a: &a "${'x'.repeat(10_000)}"\nb: [${Array.from({ length: 1000 }, () => '*a').join(', ')}]\n`;
    expect(problemsOf(text)).toEqual([expect.stringContaining('aliases make the recipe too large')]);
  });

  it.each([
    ['flow sequences', '['.repeat(1e6)],
    ['closed flow sequences', '['.repeat(2000) + ']'.repeat(2000)],
    ['flow maps', '{'.repeat(1e6)],
    ['block sequences', '- '.repeat(5e5)],
    ['complex keys', '? '.repeat(5e5)],
    ['indented maps', Array.from({ length: 1400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('refuses deeply nested %s', (_, text) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining('values are nested too deep')]);
  });

  it.each([
    ['tokens', `[${'a,'.repeat(1e5)}]`],
    ['wrong escapes', `a: "${'\\q'.repeat(5e5)}"`],
  ])('refuses more %s than a recipe has', (_, text) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining('more than 50000 YAML tokens and escapes')]);
  });

  it('throws only RootcellarError, whatever the text', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '!!x ',
      '"',
      "'",
      '\n',
      '  ',
      '\t',
      '? ',
      '|',
      '>',
      '#',
      '%',
      '---\n',
      '<<',
      ',',
      '\0',
      '\ufeff',
      '...',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (input) => {
        expect(problemsOf(input)).toBeInstanceOf(Array);
      }),
      { numRuns: 1000 },
    );
  });
});
