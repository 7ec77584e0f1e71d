import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatNamed } from '../../src/recipe/requirement.ts';
import { parseRequirements } from '../../src/recipe/requirements-text.ts';

function read(text: string): readonly string[] {
  return parseRequirements(text, 'r.txt').items.flatMap((item) =>
    item.kind === 'requirement' && item.requirement.kind === 'named' ? [formatNamed(item.requirement)] : [],
  );
}

function problemsOf(text: string): string[] {
  return parseRequirements(text, 'r.txt').problems.map(({ code, place, message, hint }) => {
    expect([code, place?.file]).toEqual(['E_REQUIREMENT_SYNTAX', 'r.txt']);
    return `${place?.line}:${place?.column} ${message} (${hint})`;
  });
}

describe('parseRequirements()', () => {
  it('reads a file as people write it', () => {
    const text =
      '\ufeff# numbers\r\nnumpy\r\n\r\n  Pandas == 2.2.*  # tables\r\nrequests>=2.31,\\\r\n  <3\r\nurl#fragment';
    expect(problemsOf(text)).toEqual(['7:4 `#fragment` is not a version limit (write for example `>=2.31,<3`)']);
    expect(read(text.replace('url#fragment', ''))).toEqual(['numpy', 'pandas==2.2.*', 'requests<3,>=2.31']);
  });

  it.each([
    ['Foo_Bar.baz', 'foo-bar-baz'],
    ['uvicorn [ Standard , extra_b ] >= 0.2', 'uvicorn[extra-b,standard]>=0.2'],
    ['a (>=1.0)', 'a>=1.0'],
    ['a~=1.4.2', 'a~=1.4.2'],
    ['a===anything-1', 'a===anything-1'],
    ['a==1.0+cu118', 'a==1.0+cu118'],
    ['a==1!2.0', 'a==1!2.0'],
    [
      "a ; python_version<'3.11' and ( os_name=='posix' or sys_platform not  in 'win32' )",
      'a; python_version < "3.11" and (os_name == "posix" or sys_platform not in "win32")',
    ],
    ['a>=1;platform_machine=="x86_64"', 'a>=1; platform_machine == "x86_64"'],
  ])('brings %j into normal form', (text, normal) => {
    expect(read(text)).toEqual([normal]);
    expect(read(normal)).toEqual([normal]);
  });

  it.each([
    ['--find-links', '1:1 the option `--find-links` has no value (write `--find-links VALUE`)'],
    ['--index-url host/simple', '1:1 `--index-url` is no address (write an address that starts with `https://`)'],
    ['--extra-index https://x', '1:1 the option `--extra-index` is not supported (did you mean `--extra-index-url`?)'],
    ['--pre six', '1:7 `six` is too much after an option (write it on a line of its own)'],
    [
      '--no-binary numpy,lxml',
      '1:1 `--no-binary` is not supported: packages are built when the recipe names them (remove it, and write `build_from_source: [numpy, lxml]` below `python` in the recipe)',
    ],
    ["-r 'a", '1:4 a quote is not closed (close it, or remove it)'],
    ['a==1 --hash=sha256:00', '1:6 `sha256:00` is not a digest (write `--hash=sha256:` and 64 hex digits)'],
    ['a==1 \\\n    --hash=md5:00', '2:5 `md5:00` is not a digest (write `--hash=sha256:` and 64 hex digits)'],
    [
      `a==1 --hash=sha512:${'0'.repeat(128)}`,
      '1:6 a digest by sha512 alone is not supported (add `--hash=sha256:…` of the same file)',
    ],
    [
      'a==1 --config-settings x=y',
      '1:6 the option `--config-settings` is not supported (remove it: nothing is compiled with options of its own)',
    ],
    [
      'hg+https://host/x',
      '1:1 repositories of `hg` are not supported (write for example `name @ git+https://HOST/name.git@REVISION`)',
    ],
    [
      'git+ssh://-oProxyCommand=x/y',
      '1:1 the address of the repository cannot be read (write for example `name @ git+https://HOST/name.git@REVISION`)',
    ],
    [
      'x @ git+https://host/x@--upload-pack',
      '1:5 the address of the repository cannot be read (write for example `name @ git+https://HOST/name.git@REVISION`)',
    ],
    [
      'pip @ https://host/pip.whl',
      '1:7 `pip.whl` is not the name of a wheel (give it the name that its builder gave it, such as `name-1.0-py3-none-any.whl`)',
    ],
    ['x @ https://host/y-1.0-py3-none-any.whl', '1:5 `y-1.0-py3-none-any.whl` is a wheel of `y` (write `y @ …`)'],
    [
      'x @ https://host/',
      '1:5 the address does not end in the name of a file (write for example `name @ https://HOST/name-1.0-py3-none-any.whl`)',
    ],
    ['x @ ', '1:5 there is no address after `@` (write for example `name @ https://HOST/name-1.0-py3-none-any.whl`)'],
    [
      'https://host/y-1.0-py3-none-any.whl#sha256=12',
      '1:1 its sha256 has not 64 hex digits (write `#sha256=` and 64 hex digits)',
    ],
    [
      'https://host/y-1.0-py3-none-any.whl#md5=12',
      '1:1 a digest by md5 is not supported (write `#sha256=` and 64 hex digits)',
    ],
    [
      '~/a-1.0-py3-none-any.whl',
      '1:1 the path `~/a-1.0-py3-none-any.whl` cannot be used (put the file below the folder of the recipe and write for example `./wheels/name-1.0-py3-none-any.whl`)',
    ],
    ['; rm -rf /', '1:1 `; rm` is not a requirement (write for example `requests>=2.31`)'],
    ['$(id)', '1:1 `$(id)` is not a requirement (write for example `requests>=2.31`)'],
    ['a b', '1:3 `b` is not a version limit (write for example `>=2.31,<3`)'],
    ['a=1', '1:2 `=1` is not a version limit (write `==`)'],
    ['a>=1,', '1:2 `` is not a version limit (write for example `>=2.31,<3`)'],
    ['a>=1.x', '1:2 `1.x` is not a version that can follow `>=` (write for example `>=2.31,<3`)'],
    ['a>=1.*', '1:2 `1.*` is not a version that can follow `>=` (write for example `>=2.31,<3`)'],
    ['a~=1', '1:2 `1` is not a version that can follow `~=` (write for example `>=2.31,<3`)'],
    ['a>=1+local', '1:2 `1+local` is not a version that can follow `>=` (write for example `>=2.31,<3`)'],
    ['a[x', '1:2 the list of extras has no `]` (write for example `uvicorn[standard]`)'],
    ['a[x,-]', '1:2 `-` is not the name of an extra (write for example `uvicorn[standard]`)'],
    ['a; extra == "x"', '1:4 `extra` is not a variable of markers (write for example `python_version < "3.14"`)'],
    ['a; python_versio < "3"', '1:4 `python_versio` is not a variable of markers (did you mean `python_version`?)'],
    [
      'a; python_version',
      '1:18 the marker needs a comparison such as `<` before its end (write for example `python_version < "3.14"`)',
    ],
    ['a; (os_name == "x"', '1:19 the marker needs `)` before its end (write for example `python_version < "3.14"`)'],
    ['a; os_name == "x" "y"', '1:19 `y` is too much in the marker (write for example `python_version < "3.14"`)'],
    [
      'a; os_name == "x',
      '1:15 the marker `os_name == \\"x` cannot be read (write for example `python_version < "3.14"`)',
    ],
    [
      'a;',
      '1:3 the marker needs a variable or a quoted text before its end (write for example `python_version < "3.14"`)',
    ],
    ['rеquests', '1:2 `е` (U+0435) is not an ASCII character (type the name again: some letters only look alike)'],
    ['numpy\u200b', '1:6 a requirement holds the invisible character U+200B (type the line again)'],
    ['numpy\0', '1:6 a requirement holds the invisible character U+0000 (type the line again)'],
    ['# note\u2028evil', '1:7 a requirement holds the invisible character U+2028 (type the line again)'],
    ['# note\x0cevil', '1:7 a requirement holds the invisible character U+000C (type the line again)'],
    ['a\rb', '1:2 a requirement holds the invisible character U+000D (type the line again)'],
  ])('refuses %j with its place', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('reports all problems of a short file', () => {
    expect(problemsOf('ok\n--x\nfine\n=\n')).toEqual([
      '2:1 the option `--x` is not supported (remove it)',
      '4:1 `=` is not a requirement (write for example `requests>=2.31`)',
    ]);
  });

  it('stops after 20 problems', () => {
    expect(problemsOf('=\n'.repeat(1000))).toHaveLength(20);
  });

  it('refuses a line of a megabyte and ten thousand lines, each with one error', () => {
    expect(problemsOf('a'.repeat(1e6))).toEqual([
      '1:1 a line of more than 65536 characters (write one requirement a line)',
    ]);
    expect(problemsOf('a\\\n'.repeat(1e5))).toEqual([
      '1:1 a line of more than 65536 characters (write one requirement a line)',
    ]);
    expect(problemsOf('a\n'.repeat(1e4))).toEqual([
      '5001:1 more than 5000 requirements (list only what you import; what that needs comes along)',
    ]);
  });

  it('refuses a marker of many parentheses', () => {
    expect(problemsOf(`a; ${'('.repeat(2000)}`)).toEqual([
      expect.stringContaining('the marker needs fewer parentheses'),
    ]);
  });

  it('throws only RootcellarError, and gives lines that read back as they are, whatever the text', () => {
    const piece = fc.constantFrom(
      'a',
      'B_c',
      '[x]',
      '>=1',
      '==2.*',
      ',',
      ' ',
      ';',
      'python_version',
      '<',
      '"3"',
      "'",
      ' and ',
      '(',
      ')',
      '\\\n',
      '\n',
      '\r',
      '#',
      '-r',
      '@',
      '/',
      'е',
      '\0',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (input) => {
        if (problemsOf(input).length > 0) return;
        const lines = read(input);
        expect(read(lines.join('\n'))).toEqual(lines);
        for (const line of lines) expect(line).toMatch(/^[\u0020-\u007e]+$/);
      }),
      { numRuns: 1000 },
    );
  });
});

it('reads a last line that ends with a backslash, as pip does', () => {
  const { items, problems } = parseRequirements('idna>=3 \\', 'r.txt');
  expect([items.map(({ kind }) => kind), problems]).toEqual([['requirement'], []]);
});
