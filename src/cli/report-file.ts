import { constants, open, type FileHandle } from 'node:fs/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';

/** Where the report of a run goes; open as long as the run takes, so that who reads a pipe gets it. */
export interface ReportFile {
  readonly write: (text: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Stands for standard error, as in `cell run`. */
const STANDARD_ERROR = '-';

/** Opens `--report FILE` before the run: what cannot be written is known too late afterwards. Throws E_USAGE. */
export async function openReport(path: string): Promise<ReportFile> {
  if (path === STANDARD_ERROR) {
    return { write: async (text) => void process.stderr.write(text), close: () => Promise.resolve() };
  }
  try {
    const file = await openForWriting(path);
    return { write: (text) => file.writeFile(text), close: () => file.close() };
  } catch (cause) {
    throw new RootcellarError('E_USAGE', `--report: ${quotedWord(path)} cannot be written`, {
      hint: 'choose another file, or let somebody read it where it is a pipe',
      cause,
    });
  }
}

/** A pipe that nobody reads would be waited for, by a thread that no signal ends. */
async function openForWriting(path: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
  const file = await open(path, flags | constants.O_NONBLOCK, 0o666);
  if (!(await file.stat()).isFIFO()) return file;
  try {
    return await open(path, flags);
  } finally {
    await file.close();
  }
}
