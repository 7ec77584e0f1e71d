import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import type { StoreFault } from '../store/store-fault.ts';
import { repairStore, verifyStore, type StoreReport } from '../store/verify-store.ts';
import type { CommandContext } from './command-context.ts';
import { withPipeline } from './pipeline.ts';

/** `rootcellar verify --store [--repair]`. Throws E_VERIFY_FAILED with one problem for each thing that is wrong. */
export async function verifyStoreVerb(
  context: CommandContext,
  { repair }: { readonly repair: boolean },
): Promise<number> {
  const { report, home } = await withPipeline(context, async ({ store, signal, progress }) => {
    return { report: await verifyStore(store, { signal, progress }), home: store.home };
  });
  const left = repair ? repairStore(report.faults) : report.faults;
  if (left.length > 0) throw RootcellarError.ofProblems(left.map(problemOf));
  const removed = [...new Set(report.faults.map(({ path }) => path))];
  context.reporter.result(summaryText(home, report, removed), {
    store: home,
    checked: Object.fromEntries(report.checked),
    leftovers: report.leftovers,
    removed,
  });
  return 0;
}

function problemOf({ path, message, remedy }: StoreFault): Problem {
  return { code: 'E_VERIFY_FAILED', message, hint: hintOf(path, remedy) };
}

function hintOf(path: string, remedy: StoreFault['remedy']): string {
  switch (remedy) {
    case 'remove':
      return 'rootcellar verify --store --repair, then build, load or pull again';
    case 'build':
      return 'build, load or pull the image again';
    case 'move':
      return `mv '${path}' somewhere else`;
  }
}

/** What processes work with at this moment. */
const UNSETTLED: ReadonlySet<string> = new Set(['tmp', 'locks', 'partial']);

function summaryText(home: string, { leftovers, checked }: StoreReport, removed: readonly string[]): string {
  const counts = [...checked]
    .filter(([folder]) => !UNSETTLED.has(folder))
    .map(([folder, count]) => `${folder} ${count}`);
  const lines = [
    ...removed.map((path) => `${path}: removed\n`),
    `${home}: every byte is as promised (${counts.join(', ')})\n`,
  ];
  const rest =
    leftovers.length === 0 ? '' : `${leftovers.length} leftovers of killed processes: the next build removes them\n`;
  return lines.join('') + rest;
}
