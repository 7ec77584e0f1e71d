import type { Command } from 'commander';
import type { CommonFlags } from './command-context.ts';
import type { ScheduleFlags } from './schedule-flags.ts';
import { addVerb, collect, type Run } from './verb-definition.ts';

export interface ImagesFlags {
  readonly generations?: boolean;
}

export interface RollbackFlags {
  /** Number of a generation. */
  readonly to?: string;
}

export interface PruneFlags {
  /** A number. */
  readonly keep?: string;
  readonly dryRun?: boolean;
}

export interface RemoveFlags {
  readonly dryRun?: boolean;
}

export interface RefreshFlags {
  readonly check?: boolean;
  readonly upgradePackage?: readonly string[];
  readonly report?: string;
}

export interface ExportFlags {
  readonly output?: string;
  readonly format?: string;
  readonly compression?: string;
}

/** What becomes of images that are built: others in their place, and other forms. */
export function addImageVerbs(program: Command, run: Run): void {
  addGenerationVerbs(program, run);
  addRemovalVerbs(program, run);
  addRefreshVerb(program, run);
  addHistoryVerb(program, run);
  addExportVerb(program, run);
}

function addGenerationVerbs(program: Command, run: Run): void {
  addVerb(program, 'images [name]', { summary: 'list the images of the store', example: 'images python --generations' })
    .option('--generations', 'all of them, not the current ones alone')
    .action(async (name: string | undefined, flags: CommonFlags & ImagesFlags) => {
      const { imagesVerb } = await import('./images-verb.ts');
      await run(flags, (context) => imagesVerb(context, name, flags));
    });
  addVerb(program, 'rollback <image>', {
    summary: 'make an earlier generation of an image current again',
    example: 'rollback python --to 3',
  })
    .option('--to <generation>', 'which (default: the newest before the current one)')
    .action(async (image: string, flags: CommonFlags & RollbackFlags) => {
      const { rollbackVerb } = await import('./rollback-verb.ts');
      await run(flags, (context) => rollbackVerb(context, image, flags));
    });
}

function addRemovalVerbs(program: Command, run: Run): void {
  addVerb(program, 'prune [names...]', {
    summary: 'remove older generations, and all that no generation needs; what is in use stays',
    example: 'prune python --keep 2',
  })
    .option('--keep <count>', 'generations that stay of each name, the current one among them (default: 5)')
    .option('--dry-run', 'only say what would go')
    .action(async (names: string[], flags: CommonFlags & PruneFlags) => {
      const { pruneVerb } = await import('./prune-verb.ts');
      await run(flags, (context) => pruneVerb(context, names, flags));
    });
  addVerb(program, 'remove <name>', {
    summary: 'remove a name with all of its generations, unless one is in use',
    example: 'remove python',
  })
    .option('--dry-run', 'only say what would go')
    .action(async (name: string, flags: CommonFlags & RemoveFlags) => {
      const { removeVerb } = await import('./prune-verb.ts');
      await run(flags, (context) => removeVerb(context, name, flags));
    });
}

function addRefreshVerb(program: Command, run: Run): void {
  addVerb(program, 'refresh <recipe...>', {
    summary: 'take newer versions, once they are built and tried out beside what serves',
    example: 'refresh recipes/python --check',
  })
    .option('--check', 'only say what is new; exit with 10 if something is')
    .option('--upgrade-package <name>', 'only this package may change (repeatable)', collect)
    .option('--report <file>', 'write what changes: Markdown, or JSON if it ends in .json')
    .option('--once', 'now, and no more (the default)')
    .option('--every <time>', 'again and again, such as every 12h, until a signal ends it')
    .option('--cron <expression>', 'again and again, by five fields as in crontab(5)')
    .option('--scheduled', 'again and again, by what each recipe says under `refresh`')
    .option('--jitter <time>', 'begin each one later by a random time up to this')
    .action(async (recipes: readonly string[], flags: CommonFlags & RefreshFlags & ScheduleFlags) => {
      const { refreshRecipes } = await import('./refresh-recipes.ts');
      const isLasting = flags.every ?? flags.cron ?? flags.scheduled;
      // A display of live tasks is for commands that end.
      const shown = isLasting === undefined ? flags : { ...flags, plain: true };
      await run(shown, (context) => refreshRecipes(context, recipes, flags));
    });
}

function addHistoryVerb(program: Command, run: Run): void {
  addVerb(program, 'history <name> [number]', {
    summary: 'tell what came of the refreshes of an image, or all of one of them',
    example: 'history python 3',
  }).action(async (name: string, number: string | undefined, flags: CommonFlags) => {
    const { historyVerb } = await import('./history-verb.ts');
    await run(flags, (context) => historyVerb(context, name, number));
  });
}

function addExportVerb(program: Command, run: Run): void {
  addVerb(program, 'export <image>', {
    summary: 'write an image for what runs containers, or mounts images',
    example: 'export python -o python-oci',
  })
    .option('-o, --output <path>', 'a new folder, or a new file if it ends in .tar')
    .option('--format <name>', 'oci: an image layout, of all architectures; docker, squashfs, erofs: one file, of one')
    .option('--compression <name>', 'oci, docker: gzip or none; squashfs: gzip, zstd, xz or none; erofs: none or lz4')
    .action(async (image: string, flags: CommonFlags & ExportFlags) => {
      const { exportVerb } = await import('./export-verb.ts');
      await run(flags, (context) => exportVerb(context, image, flags));
    });
}
