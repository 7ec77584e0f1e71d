import type { Command } from 'commander';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** Program text, and the words of a program: these may be anything. */
const FREE: ReadonlySet<string> = new Set(['-c', 'words']);

/**
 * What is wrong with what was typed, whichever verb it is for: an empty value, most often of a variable that is not set, names
 * no path, and would else be taken for the folder that one is in; and progress cannot be both more and none.
 */
export function faultOfGiven(command: Command): RootcellarError | undefined {
  const { options, registeredArguments, processedArgs } = command;
  const values = options.map((option) => {
    const name = option.short ?? option.long ?? '';
    return { name, isNamed: option.required, value: command.getOptionValue(option.attributeName()) };
  });
  const words = registeredArguments.map((argument, index) => {
    return { name: argument.name(), isNamed: true, value: processedArgs[index] };
  });
  const empty = [...values, ...words].find(({ name, isNamed, value }) => isNamed && !FREE.has(name) && hasEmpty(value));
  if (empty !== undefined) {
    const place = empty.name.startsWith('-') ? empty.name : `<${empty.name}>`;
    return new RootcellarError('E_USAGE', `${place}: is empty`, {
      hint: 'give it a value, or leave it out: is a variable not set?',
    });
  }
  if (command.getOptionValue('quiet') !== true || command.getOptionValue('verbose') !== true) return undefined;
  return new RootcellarError('E_USAGE', '-q and -v: cannot be had together', { hint: 'keep one of the two' });
}

function hasEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.includes('') : value === '';
}
