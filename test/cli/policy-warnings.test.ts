import { expect, it } from 'vitest';
import type { ProgressEvent } from '../../src/base/progress.ts';
import { warnOfImage, warnOfRecipe } from '../../src/cli/policy-warnings.ts';
import { DEFAULT_SANDBOX } from '../../src/recipe/recipe.ts';
import { workplace } from '../support/command.ts';

const SANDBOX = { ...DEFAULT_SANDBOX, syscalls: { profile: 'python', allow: ['flock', 'ptrace'], deny: [] } };

it('warnOfRecipe() says where in the file the word stands', async () => {
  await using work = await workplace();
  await work.write({ 'recipe.yaml': 'name: mine\nsandbox:\n  syscalls:\n    allow:\n      - flock\n      - ptrace\n' });
  const file = work.path('recipe.yaml');
  const events: ProgressEvent[] = [];
  await warnOfRecipe({ file, sandbox: SANDBOX }, (event) => void events.push(event));
  expect(events).toEqual([
    {
      kind: 'warning',
      message: `${file}:6:9: \`ptrace\` reads and changes other processes`,
      hint: 'leave ptrace out, or run only programs that are trusted',
    },
  ]);
});

it('warnOfRecipe() names the file alone where the word is not in it any more', async () => {
  await using work = await workplace();
  await work.write({ 'recipe.yaml': 'name: mine\n' });
  const file = work.path('recipe.yaml');
  const messages: unknown[] = [];
  await warnOfRecipe({ file, sandbox: SANDBOX }, (event) => void messages.push('message' in event && event.message));
  expect(messages).toEqual([`${file}: \`ptrace\` reads and changes other processes`]);
});

it('warnOfImage() names the image, and is silent about the profiles as they are', async () => {
  const messages: unknown[] = [];
  const progress = (event: ProgressEvent) => void messages.push('message' in event && event.message);
  await warnOfImage('mine', DEFAULT_SANDBOX, progress);
  await warnOfImage('mine', SANDBOX, progress);
  expect(messages).toEqual(['image `mine`: `ptrace` reads and changes other processes']);
});
