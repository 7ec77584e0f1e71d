import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostDisk, type HostDisk } from '../../src/assemble/host-disk.ts';
import { elfFile, type ElfDescription } from './elf-files.ts';

/** A folder that stands for the root of a machine. */
export interface ToyHost extends Disposable {
  readonly root: string;
  readonly disk: HostDisk;
  /** Values: a description of an ELF file, a link (`-> target`), or the text of a file. */
  put(files: Readonly<Record<string, string | ElfDescription>>): void;
}

export function toyHost(files: Readonly<Record<string, string | ElfDescription>> = {}): ToyHost {
  const root = mkdtempSync(join(tmpdir(), 'toy-host-'));
  const put: ToyHost['put'] = (all) => {
    for (const [path, what] of Object.entries(all)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      if (typeof what !== 'string') writeFileSync(join(root, path), elfFile(what));
      else if (what.startsWith('-> ')) symlinkSync(what.slice(3), join(root, path));
      else writeFileSync(join(root, path), what);
    }
  };
  put(files);
  return { root, disk: hostDisk(root), put, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
