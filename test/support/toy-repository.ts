import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Commits by title, each with the files that it adds; a `-> target` is a link. */
export type ToyHistory = readonly (readonly [title: string, files: Readonly<Record<string, string>>, tag?: string])[];

/** A bare repository at `folder/name.git` with this history on branch `main`. Returns the id of each commit. */
export function toyRepository(folder: string, name: string, history: ToyHistory): readonly string[] {
  const work = join(folder, `${name}-work`);
  mkdirSync(work, { recursive: true });
  const git = (...words: string[]): string =>
    execFileSync('git', ['-c', 'core.hooksPath=/dev/null', ...words], {
      cwd: work,
      env: ENVIRONMENT,
      encoding: 'utf8',
    }).trim();
  git('init', '--quiet', '--initial-branch=main');
  const ids = history.map(([title, files, tag]) => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(work, path)), { recursive: true });
      const [, target] = /^-> (.+)$/.exec(content) ?? [];
      if (target === undefined) writeFileSync(join(work, path), content);
      else symlinkSync(target, join(work, path));
    }
    git('add', '--all');
    git('commit', '--quiet', '--message', title);
    if (tag !== undefined) git('tag', '--annotate', '--message', tag, tag);
    return git('rev-parse', 'HEAD');
  });
  git('clone', '--quiet', '--bare', '.', join(folder, `${name}.git`));
  return ids;
}

/** Dates and names are fixed, so that ids are the same everywhere. */
const ENVIRONMENT = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'toy',
  GIT_AUTHOR_EMAIL: 'toy@example.invalid',
  GIT_AUTHOR_DATE: '1600000000 +0000',
  GIT_COMMITTER_NAME: 'toy',
  GIT_COMMITTER_EMAIL: 'toy@example.invalid',
  GIT_COMMITTER_DATE: '1600000000 +0000',
};
