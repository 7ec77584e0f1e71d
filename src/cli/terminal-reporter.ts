import { Listr, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from 'listr2';
import type { ProgressAmount, ProgressEvent, StepName } from '../base/progress.ts';
import { progressBar, progressText } from './progress-text.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { failureText } from './reporter.ts';
import { visibleText } from './visible-text.ts';

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** A step on the screen: its task lives until `finish` or `fail`. */
interface ShownStep {
  readonly title: string;
  readonly total: ProgressAmount | undefined;
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
  task?: Task;
}

/** Each step is a listr2 task with a bar; warnings and results wait until the tasks are off the screen. */
export function createTerminalReporter(options: ReporterOptions): Reporter {
  const steps = new Map<StepName, ShownStep>();
  const later: string[] = [];
  let screen: Promise<unknown> = Promise.resolve();
  const show = (event: ProgressEvent): void => {
    if (event.kind === 'begin') screen = beginStep(screen, steps, event);
    else if (event.kind === 'warning') later.push(warningText(event));
    else updateStep(steps.get(event.step), event);
  };
  return {
    progress: show,
    result: (text) => void options.stdout.write(text),
    close: async (outcome) => {
      for (const step of steps.values()) {
        if (outcome === 'done') step.finish();
        else step.fail(new Error('stopped'));
      }
      await screen;
      for (const line of later.splice(0)) options.stderr.write(`${line}\n`);
    },
    failure: (error) => void options.stderr.write(`${failureText(error)}\n`),
  };
}

/** Draws a list of one task once the list before it has left the screen: two live lists would draw over each other. */
function beginStep(
  before: Promise<unknown>,
  steps: Map<StepName, ShownStep>,
  event: ProgressEvent & { kind: 'begin' },
): Promise<unknown> {
  let finish = nothing;
  let fail: (error: Error) => void = nothing;
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const step: ShownStep = { title: event.title, total: event.total, finish, fail };
  steps.set(event.step, step);
  const work = (_context: unknown, task: Task): Promise<void> => {
    step.task = task;
    return ended;
  };
  const list = new Listr([{ title: event.title, task: work }], { exitOnError: false, collectErrors: false });
  return before.then(() => list.run());
}

/** Stands in until the promise has given its own. */
function nothing(): void {}

function updateStep(step: ShownStep | undefined, event: ProgressEvent & { kind: 'advance' | 'end' }): void {
  if (step === undefined) return;
  if (event.kind === 'end') {
    if (step.task !== undefined) step.task.title = `${step.title}: ${event.summary}`;
    step.finish();
    return;
  }
  if (step.task === undefined) return;
  const bar = progressBar(event.done, step.total);
  step.task.title = [step.title, bar, progressText(event.done, step.total), event.detail].filter(Boolean).join('  ');
}

function warningText(event: ProgressEvent & { kind: 'warning' }): string {
  return visibleText(`warning: ${event.message}${event.hint === undefined ? '' : `\n  hint: ${event.hint}`}`);
}
