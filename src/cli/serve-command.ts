import type { Command } from 'commander';
import type { SettingFlags } from '../serve/settings-reader.ts';
import type { CommonFlags } from './command-context.ts';
import { addVerb, collect, type Run } from './verb-definition.ts';

export interface ServeFlags extends SettingFlags {
  /** dify-sandbox's `config.yaml`. */
  readonly config?: string;
  readonly requirements?: string;
  /** The least isolation that runs may have, in the image that is made of `config`. */
  readonly minimumTier?: string;
  /** File of keys. */
  readonly keys?: string;
}

export function addServeVerb(program: Command, run: Run): void {
  addVerb(program, 'serve [image]', {
    summary: 'run programs for whoever asks by HTTP',
    example: 'serve python --listen 127.0.0.1:8194',
  })
    .usage('[IMAGE|RECIPE] [--config conf/config.yaml]')
    .option('--config <file>', 'configuration of dify-sandbox; without an image, the one to serve is made of it')
    .option('--requirements <file>', 'with --config (default: dependencies/python-requirements.txt beside its folder)')
    .option('--minimum-tier <tier>', 'with --config: the least isolation to run with, A to D (default: C)')
    .option('--listen <host:port>', 'where to listen (default: 127.0.0.1:8194; :8194 is every address)')
    .option('--keys <file>', 'API keys, `NAME KEY` on each line')
    .option('--workers <number>', 'runs at one time (default: 4)')
    .option('--max-requests <number>', 'running and waiting together (default: 50)')
    .option('--warm-cells <number>', 'cells of each kind that wait for a run (default: 4; 0: none)')
    .option('--no-zygotes', 'start an interpreter for each cell, with a memory layout and hash seed of its own')
    .option('--limit <name=value>', 'a limit in place of the image’s, such as wall=2s (repeatable)', collect)
    .option('--max-limit <name=value>', 'the most that a request may ask for (repeatable)', collect)
    .option('--max-body <size>', 'largest request (default: 8MiB)')
    .option('--drain <time>', 'how long runs may take to end when the service is stopped (default: 30s)')
    .action(async (image: string | undefined, flags: CommonFlags & ServeFlags) => {
      const { serveVerb } = await import('./serve-verb.ts');
      // A display of live tasks is for commands that end.
      await run({ ...flags, plain: true }, (context) => serveVerb(context, image, flags));
    });
}
