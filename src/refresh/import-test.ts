import type { RunReport } from '../run/run-report.ts';

/**
 * Imports the top modules of every installed distribution, or of those that its arguments name; with `NAMES_ONLY`, imports nothing.
 * What packages print goes nowhere; the answer, a line for each module, is written when all is done: an import that ends the
 * program leaves none. Needs nothing of the standard library but what an interpreter starts with. Source of the names: PEP 376
 * and PEP 427, RECORD; setuptools, top_level.txt.
 */
export const IMPORT_TEST: string = `
import os, sys
SKIPPED = {'test', 'tests', 'testing', 'doc', 'docs', 'example', 'examples', 'conftest', 'setup', 'benchmarks'}
def normal(name): return name.lower().replace('_', '-').replace('.', '-')
def lines(*path):
    try:
        with open(os.path.join(*path), encoding='utf-8', errors='replace') as file: return file.read().splitlines()
    except OSError: return None
def modules(folder, entry):
    listed = lines(folder, entry, 'top_level.txt')
    if listed is not None: return set(listed)
    files = [row.split(',')[0].split('/') for row in lines(folder, entry, 'RECORD') or []]
    return {parts[0].split('.')[0] for parts in files if parts[-1].endswith(('.py', '.so')) and not parts[0].endswith('-info')}
only_names = sys.argv[1:] == ['NAMES_ONLY']
answer, wanted = os.dup(1), set() if only_names else {normal(name) for name in sys.argv[1:]}
null = os.open(os.devnull, os.O_RDWR)
os.dup2(null, 1); os.dup2(null, 2)
rows = []
for folder in [folder for folder in sys.path if os.path.isdir(folder)]:
    for entry in sorted(os.listdir(folder)):
        if not entry.endswith(('.dist-info', '.egg-info')) or not os.path.isdir(os.path.join(folder, entry)): continue
        name = normal(entry.split('-')[0])
        if wanted and name not in wanted: continue
        for module in sorted(modules(folder, entry)):
            if not module.isidentifier() or module.startswith('_') or module in SKIPPED: continue
            error = ''
            try:
                if not only_names: __import__(module)
            except BaseException as fault: error = type(fault).__name__ + ': ' + ' '.join(str(fault).split())[:300]
            rows.append('\\t'.join([name, module, error]))
text = '\\n'.join(rows + ['done\\n']).encode('ascii', 'replace')
while text: text = text[os.write(answer, text):]
os._exit(0)
`;

/** An argument that is no name of a distribution. */
export const NAMES_ONLY = 'NAMES_ONLY';

export interface ImportRow {
  /** Normalised as PEP 503 says. */
  readonly distribution: string;
  /** Empty where it is not known which. */
  readonly module: string;
  /** What Python says; printable ASCII. Empty: nothing is wrong, as far as was tried. */
  readonly error: string;
}

/** Undefined where the program was ended before it could answer. Nothing that it says is believed beyond its shape. */
export function importRows({
  status,
  stdout = '',
}: Pick<RunReport, 'status' | 'stdout'>): readonly ImportRow[] | undefined {
  const lines = stdout.split('\n');
  if (status !== 'ok' || lines.at(-1) !== '' || lines.at(-2) !== 'done') return undefined;
  return lines.slice(0, -2).map((line) => {
    const [distribution = '', module = '', error = ''] = line.split('\t').map(printable);
    return { distribution, module, error };
  });
}

function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').slice(0, 400);
}
