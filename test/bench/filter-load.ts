import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { compilePolicy, withoutListener } from '../../src/run/policy.ts';
import { compileWithLibseccomp, expressible } from '../run/libseccomp.ts';
import { compileProgram, removeTemporaryFolders, temporaryFolder } from '../run/policy-cases.ts';

/** Medians in nanoseconds, measured in turns. */
export interface FilterLoadTimes {
  /** Of the default profile, all of it. */
  readonly ours: number;
  /** Of libseccomp's filter of the same rules, as far as it can say them. */
  readonly libseccomp: number;
}

/** Loads each filter `count` times (at most 100 000), each time in a new process. amd64 only. Needs cc and libseccomp-dev. */
export function measureFilterLoads(count: number): FilterLoadTimes {
  const policy = compilePolicy({ profile: 'python', allow: [], deny: [] }, 'amd64');
  const folder = temporaryFolder();
  const files = [join(folder, 'ours'), join(folder, 'libseccomp')] as const;
  writeFileSync(files[0], compileFilter(withoutListener(policy), 'amd64').program);
  writeFileSync(files[1], compileWithLibseccomp(expressible(policy), 'amd64'));
  const loader = compileProgram('load-filter');
  if (loader === undefined) throw new Error('load-filter.c cannot be compiled here');
  const output = execFileSync(loader, ['time', String(count), ...files], { encoding: 'utf8' });
  removeTemporaryFolders();
  const [ours, libseccomp] = output.trim().split('\n').map(Number);
  if (ours === undefined || libseccomp === undefined) throw new Error(`load-filter said ${output}`);
  return { ours, libseccomp };
}
