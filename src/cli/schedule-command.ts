import type { Command } from 'commander';
import type { CommonFlags } from './command-context.ts';
import { addVerb, type Run } from './verb-definition.ts';

export interface ScheduleVerbFlags extends CommonFlags {
  readonly systemd?: boolean;
  readonly kubernetes?: boolean;
  /** Units of the user's own manager. */
  readonly user?: boolean;
  /** Where units are written instead, and nothing is started. */
  readonly outputDir?: string;
  /** File of the Kubernetes objects. */
  readonly output?: string;
  /** Of the container. */
  readonly image?: string;
  /** Of the recipe, in the container. */
  readonly recipePath?: string;
}

type Action = 'install' | 'remove' | 'show';

export function addScheduleVerbs(program: Command, run: Run): void {
  const schedule = program
    .command('schedule')
    .description('have systemd or Kubernetes refresh recipes by what they say under `refresh`');
  addAction(schedule, run, {
    action: 'install',
    summary: 'write units or objects that refresh each recipe, and start them',
    example: 'install --systemd recipes/python',
  });
  addAction(schedule, run, {
    action: 'remove',
    summary: 'stop and remove the units of these recipes',
    example: 'remove recipes/python',
  });
  addAction(schedule, run, {
    action: 'show',
    summary: 'print what would be written',
    example: 'show --kubernetes recipes/python',
  });
}

interface ActionHelp {
  readonly action: Action;
  readonly summary: string;
  readonly example: string;
}

function addAction(schedule: Command, run: Run, { action, summary, example }: ActionHelp): void {
  const command = addVerb(schedule, `${action} <recipe...>`, { summary, example })
    .option('--systemd', 'a service and a timer for each (the default)')
    .option('--user', 'for `systemctl --user` (default where this user is not root)')
    .option('--output-dir <folder>', 'folder of the units, for packages: nothing is started or stopped');
  if (action !== 'remove') {
    command
      .option('--kubernetes', 'a CronJob for each, and a claim for the store')
      .option('-o, --output <file>', 'with --kubernetes: file for the objects (default: print them)')
      .option('--image <name>', 'with --kubernetes: what the container is made from (default: rootcellar)')
      .option('--recipe-path <path>', 'with --kubernetes: of the recipe in the container (default: /recipes/NAME)');
  }
  command.action(async (recipes: readonly string[], flags: ScheduleVerbFlags) => {
    const { scheduleVerb } = await import('./schedule-verb.ts');
    await run(flags, (context) => scheduleVerb(context, { action, recipes, flags }));
  });
}
