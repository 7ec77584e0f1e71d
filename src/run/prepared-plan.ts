import { encodePlan, type LaunchPlan } from './launch-plan.ts';

/** How a program is given: text, stdin, a file, a file that is JavaScript. */
export const PROGRAM_FORMS = ['code', 'stdin', 'file', 'script'] as const;
export type ProgramForm = (typeof PROGRAM_FORMS)[number];

/** What is said of a limit that ended a run, in the order of `enum prepared_text` in native/prepared.h. */
export const TOLD_STATUSES = ['timeout', 'cpu_limit', 'oom', 'disk_limit', 'output_limit', 'denied'] as const;
export type ToldStatus = (typeof TOLD_STATUSES)[number];

/** A plan for programs that nobody knows yet, on hosts of one tier. The launcher completes it, where there is no Node.js to plan. */
export interface PreparedPlan {
  /** What the host must have, by the names of `cell probe`. */
  readonly needs: readonly string[];
  /** The words before a program's own arguments. In one that ends in `HOLE`, the text or the file's name takes its place. */
  readonly words: Readonly<Partial<Record<ProgramForm, readonly string[]>>>;
  readonly texts: Readonly<Record<ToldStatus, string>>;
  /** Names of the architecture's system calls, by number; empty where none has it. */
  readonly calls: readonly string[];
  readonly image: string;
  readonly architecture: string;
  /** Without arguments and program. Where a name of one run alone is wanted, it has `RUN_ID`. */
  readonly plan: LaunchPlan;
}

/** `PREPARED_HOLE` of native/prepared.h. */
export const HOLE = '\u0001';
/** `PREPARED_RUN` there. */
export const RUN_ID = '@RCELLAR-RUN-ID@';

const MAGIC = 'RCREADY\u0001';

/** The bytes of a file that `cell run` takes; format: native/prepared.h. */
export function encodePreparedPlan(prepared: PreparedPlan): Uint8Array {
  const { needs, words, texts, calls, image, architecture, plan } = prepared;
  return Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    section(needs),
    ...PROGRAM_FORMS.map((form) => section(words[form] ?? [])),
    section(TOLD_STATUSES.map((status) => texts[status])),
    section(calls),
    section([image, architecture]),
    encodePlan(plan),
  ]);
}

function section(strings: readonly string[]): Buffer {
  const bytes = Buffer.from(strings.map((string) => `${string}\0`).join(''), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
