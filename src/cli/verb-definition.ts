import type { Command } from 'commander';
import type { CommonFlags, Verb } from './command-context.ts';

/** Runs a verb's work under the flags that all verbs have. */
export type Run = (flags: CommonFlags, work: Verb) => Promise<void>;

export interface VerbHelp {
  readonly summary: string;
  /** Words after the name of the command. */
  readonly example: string;
}

/** A verb with the flags that all verbs have, and an example below its help. */
export function addVerb(program: Command, usage: string, { summary, example }: VerbHelp): Command {
  const command = program.command(usage).description(summary);
  return withCommonFlags(command).addHelpText('after', `\nExample:\n  ${program.name()} ${example}`);
}

/** What every verb understands. */
export function withCommonFlags(command: Command): Command {
  return command
    .option('--json', 'write one JSON object a line to stdout')
    .option('-q, --quiet', 'no progress')
    .option('-v, --verbose', 'more progress, as plain lines');
}

/** For flags that may be given several times. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}
