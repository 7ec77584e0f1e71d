/** A command that a wheel declares: `name` in `bin/` calls `attribute` of `module`. */
export interface EntryPoint {
  readonly name: string;
  readonly module: string;
  /** Dotted. */
  readonly attribute: string;
}

/** The headers of a WHEEL or METADATA file, by lower-case name; of one given twice the first. Source: PEP 427, PEP 566. */
export function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    if (line === '') break;
    const [, name, value] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || headers.has(name.toLowerCase())) continue;
    headers.set(name.toLowerCase(), (value ?? '').trim());
  }
  return headers;
}

/** A version as far as it must be to compare two spellings of one release. Source: PEP 440, "Normalization". */
export function normalizedVersion(version: string): string {
  return version
    .toLowerCase()
    .replace(/^v/, '')
    .replace(
      /[-_.]*(alpha|beta|preview|pre|rc|a|b|c)[-_.]?(\d*)/,
      (_, label: string, n: string) => (LABELS.get(label) ?? label) + Number(n),
    )
    .replace(/[-_.]*(?:post|rev|r)[-_.]?(\d+)/, '.post$1')
    .replace(/[-_.]*dev[-_.]?(\d*)/, (_, n: string) => `.dev${Number(n)}`)
    .replace(/(?:\.0+)+(?=$|[^.\d])/, '');
}

const LABELS: ReadonlyMap<string, string> = new Map([
  ['alpha', 'a'],
  ['beta', 'b'],
  ['c', 'rc'],
  ['pre', 'rc'],
  ['preview', 'rc'],
]);

const IDENTIFIERS = String.raw`[\p{ID_Start}_][\p{ID_Continue}]*(?:\.[\p{ID_Start}_][\p{ID_Continue}]*)*`;
const REFERENCE = new RegExp(String.raw`^(${IDENTIFIERS})\s*:\s*(${IDENTIFIERS})\s*(?:\[[^\]]*\])?$`, 'u');

/**
 * The commands of an `entry_points.txt`: its `console_scripts` and `gui_scripts`. Throws a plain Error on a command
 * whose name is no file name, or whose target is no object reference; whatever they hold becomes a program.
 * Source: "Entry points specification".
 */
export function parseEntryPoints(text: string): readonly EntryPoint[] {
  const points: EntryPoint[] = [];
  let section = '';
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    const header = /^\[\s*(.*?)\s*\]$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    else if (line !== '' && !/^[#;]/.test(line) && /^(?:console|gui)_scripts$/.test(section))
      points.push(parsePoint(line));
  }
  return points;
}

function parsePoint(line: string): EntryPoint {
  const equals = line.indexOf('=');
  const name = line.slice(0, Math.max(0, equals)).trim();
  const [, module, attribute] = REFERENCE.exec(line.slice(equals + 1).trim()) ?? [];
  if (!/^[\w.+ -]{1,200}$/.test(name) || /^\.*$/.test(name) || module === undefined || attribute === undefined) {
    throw new Error(`the entry point ${JSON.stringify(line.slice(0, 200))} is not acceptable`);
  }
  return { name, module, attribute };
}

/** The program of an entry point. Ends the interpreter with what the function returns. */
export function entryPointProgram({ module, attribute }: EntryPoint, interpreter: string): string {
  const [object] = attribute.split('.');
  return `#!${interpreter}\nimport sys\n\nfrom ${module} import ${object ?? ''}\n\nif __name__ == '__main__':\n    sys.exit(${attribute}())\n`;
}
