import type { Program } from '../program-words.ts';
import type { RunLanguage } from './service-watch.ts';

/** What dify-sandbox's API calls code. */
export interface DifyCode {
  readonly language: RunLanguage;
  readonly code: string;
  /** Runs before it, with the same globals. Empty: nothing does. */
  readonly preload: string;
}

/** The program that does what dify-sandbox would do with the code. */
export function difyProgram({ language, code, preload }: DifyCode): Program {
  const isPython = language === 'python3';
  const text = isPython ? pythonText(code, preload) : [preload, code].filter((part) => part !== '').join('\n');
  return { kind: 'file', file: { name: isPython ? 'main.py' : 'main.js', content: Buffer.from(text) } };
}

/**
 * Exceptions end the program with status 255, and are told without the frame of these lines; `os` and `sys` are there without an import: as in
 * dify-sandbox. JSON strings are literals of Python too: every escape that we write means the same there.
 */
function pythonText(code: string, preload: string): string {
  const parts = [...(preload === '' ? [] : [['<preload>', preload]]), ['<fd3>', code]];
  return `import os, sys
def _report(kind, value, trace):
    value.__traceback__ = trace and trace.tb_next
    sys.__excepthook__(kind, value, value.__traceback__)
    sys.exit(255)
sys.excepthook = _report
for _name, _text in ${JSON.stringify(parts)}:
    exec(compile(_text, _name, 'exec'), globals())
`;
}
