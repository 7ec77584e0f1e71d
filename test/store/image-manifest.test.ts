import { expect, it } from 'vitest';
import { canonicalJson } from '../../src/base/canonical-json.ts';
import { digestOf } from '../../src/base/digest.ts';
import { sandboxInputs } from '../../src/lock/recipe-inputs.ts';
import { DEFAULT_SANDBOX } from '../../src/recipe/recipe.ts';
import { manifestJson, readManifest, type ImageManifest } from '../../src/store/image-manifest.ts';

const MANIFEST: ImageManifest = {
  name: 'python',
  architecture: 'amd64',
  format: 1,
  key: digestOf('key'),
  epoch: 5,
  interpreter: undefined,
  sandbox: DEFAULT_SANDBOX,
  filter: '',
};

it.each([[undefined], [true]] as const)('readManifest() reads what manifestJson() wrote, with `proc` %s', (proc) => {
  const sandbox = proc === undefined ? DEFAULT_SANDBOX : { ...DEFAULT_SANDBOX, proc };
  expect(readManifest(manifestJson({ ...MANIFEST, sandbox })).sandbox).toStrictEqual(sandbox);
});

it('what has no `proc` says nothing of it: images and lockfiles stay as they are', () => {
  expect(canonicalJson(manifestJson(MANIFEST))).not.toContain('proc":');
  expect(Object.keys(Object(sandboxInputs(DEFAULT_SANDBOX)))).toEqual([
    'syscalls',
    'network',
    'limits',
    'minimum_tier',
  ]);
  expect(sandboxInputs({ ...DEFAULT_SANDBOX, proc: true })).toMatchObject({ proc: true });
});
