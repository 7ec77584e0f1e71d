/** An import statement of Python. */
export interface PythonImport {
  /** Leading dots: 0 for an absolute import. */
  readonly level: number;
  /** Names of modules from the outermost on; those after `import` too, which may be modules or not. */
  readonly modules: readonly (readonly string[])[];
}

const DOTTED = '[A-Za-z_]\\w*(?:\\.[A-Za-z_]\\w*)*';
/** In brackets over several lines, with comments; or the rest of the line. */
const LIST = '\\([^()#]*(?:#[^\\n]*\\n[^()#]*)*\\)|[^\\n;#]*';
const FROM = new RegExp(
  `^[ \\t]*from(?=[ \\t.])[ \\t]*(\\.*)[ \\t]*(${DOTTED})?[ \\t]*import(?=[ \\t(*])[ \\t]*(${LIST})`,
  'gm',
);
const IMPORT = /^[ \t]*import[ \t]+([^\n;#]*)/gm;
const CALL = new RegExp(`(?:import_module|__import__)\\([ \\t\\n]*["'](${DOTTED})["']`, 'g');

/**
 * The imports in the text of a Python module, wherever they stand: at the top, in functions, and by name with
 * `importlib.import_module`. Works on the text, so a string that looks like an import counts as one.
 */
export function pythonImports(text: string): readonly PythonImport[] {
  const lines = text.replaceAll(/\\\r?\n/g, ' ');
  return [...fromImports(lines), ...plainImports(lines), ...calls(lines)];
}

function fromImports(text: string): readonly PythonImport[] {
  return Array.from(text.matchAll(FROM), ([, dots = '', dotted, list = '']) => {
    const module = dotted?.split('.') ?? [];
    const names = namesOf(list);
    return { level: dots.length, modules: [module, ...names.map((name) => module.concat(name))] };
  });
}

function plainImports(text: string): readonly PythonImport[] {
  return Array.from(text.matchAll(IMPORT), ([, list = '']) => ({ level: 0, modules: namesOf(list) }));
}

function calls(text: string): readonly PythonImport[] {
  return Array.from(text.matchAll(CALL), ([, dotted = '']) => ({ level: 0, modules: [dotted.split('.')] }));
}

/** Of `a, b.c as d`, in brackets or not, with comments or not. */
function namesOf(list: string): readonly (readonly string[])[] {
  return list
    .replaceAll(/#[^\n]*/g, '')
    .split(',')
    .flatMap((element) => {
      const [name] = /[A-Za-z_][\w.]*/.exec(element) ?? [];
      return name === undefined ? [] : [name.split('.')];
    });
}
