import type { ProgressEvent } from '../base/progress.ts';
import { progressText } from './progress-text.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { failureText } from './reporter.ts';
import { visibleText } from './visible-text.ts';

/** One plain line for each step that ends, and for each warning; with `--verbose` also for its beginning and advance. */
export function createLineReporter(options: ReporterOptions): Reporter {
  const say = (line: string): void => void options.stderr.write(`${line}\n`);
  return {
    progress: (event) => {
      if (isShown(event, options)) say(visibleText(lineOf(event)));
    },
    result: (text) => void options.stdout.write(text),
    close: () => Promise.resolve(),
    failure: (error) => say(failureText(error)),
  };
}

function isShown(event: ProgressEvent, options: ReporterOptions): boolean {
  if (event.kind === 'warning') return true;
  return !options.quiet && (options.verbose || event.kind === 'end');
}

function lineOf(event: ProgressEvent): string {
  switch (event.kind) {
    case 'begin':
      return `${event.step}: ${event.title}`;
    case 'advance':
      return `${event.step}: ${progressText(event.done, undefined)}${event.detail === undefined ? '' : ` ${event.detail}`}`;
    case 'end':
      return `${event.step}: ${event.summary}`;
    case 'warning':
      return `warning: ${event.message}${event.hint === undefined ? '' : `\n  hint: ${event.hint}`}`;
  }
}
