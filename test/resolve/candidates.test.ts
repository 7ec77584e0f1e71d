import { describe, expect, it } from 'vitest';
import { judgeFiles, type CandidateRules } from '../../src/resolve/candidates.ts';
import { localFile } from '../../src/resolve/package-index.ts';
import { tagRanks, wheelTags } from '../../src/resolve/python-tags.ts';
import type { IndexFile } from '../../src/resolve/simple-page.ts';

const RULES: CandidateRules = {
  ranks: tagRanks(wheelTags({ architecture: 'amd64', pythonVersion: '3.13.5', glibc: '2.41' })),
  pythonVersion: '3.13.5',
  cutOff: undefined,
  hashes: undefined,
  exactVersions: [],
};

const A = `sha256:${'a'.repeat(64)}` as const;
const B = `sha256:${'b'.repeat(64)}` as const;

function judged(file: string, facts: Partial<IndexFile> = {}, rules: Partial<CandidateRules> = {}): string {
  const { usable, refused } = judgeFiles('one', [{ ...localFile(`/${file}`), ...facts }], { ...RULES, ...rules });
  return usable.length > 0 ? 'usable' : (refused[0]?.reason ?? 'ignored');
}

describe('judgeFiles()', () => {
  it.each<[string, Partial<IndexFile>, Partial<CandidateRules>, string]>([
    ['one-1-py3-none-any.whl', {}, {}, 'usable'],
    ['one-1-cp313-cp313-manylinux_2_41_x86_64.whl', {}, {}, 'usable'],
    ['one-1-cp313-cp313-manylinux_2_42_x86_64.whl', {}, {}, 'platform'],
    ['one-1-cp313-cp313-musllinux_1_2_x86_64.whl', {}, {}, 'platform'],
    ['one-1-cp312-cp312-manylinux_2_17_x86_64.whl', {}, {}, 'platform'],
    ['one-1-cp39-abi3-manylinux_2_17_x86_64.whl', {}, {}, 'usable'],
    ['one-1.tar.gz', {}, {}, 'source'],
    ['two-1-py3-none-any.whl', {}, {}, 'ignored'],
    ['one-what.txt', {}, {}, 'ignored'],
    ['one-not.a.version-py3-none-any.whl', {}, {}, 'ignored'],
    ['one-1-py3-none-any.whl', { requiresPython: '>=3.14' }, {}, 'python'],
    ['one-1-py3-none-any.whl', { requiresPython: '>=3.9, !=3.12.*,<4' }, {}, 'usable'],
    ['one-1-py3-none-any.whl', { requiresPython: '>=3.x' }, {}, 'usable'],
    ['one-1-py3-none-any.whl', { yanked: true }, {}, 'yanked'],
    ['one-1-py3-none-any.whl', { yanked: true }, { exactVersions: ['1.0'] }, 'usable'],
    ['one-1-py3-none-any.whl', { digest: A }, { hashes: [B] }, 'hash'],
    ['one-1-py3-none-any.whl', { digest: A }, { hashes: [B, A] }, 'usable'],
    ['one-1-py3-none-any.whl', { digest: undefined }, { hashes: [B] }, 'usable'],
    ['one-1-py3-none-any.whl', { uploaded: 10 }, { cutOff: 10 }, 'usable'],
    ['one-1-py3-none-any.whl', { uploaded: 11 }, { cutOff: 10 }, 'young'],
    ['one-1-py3-none-any.whl', {}, { cutOff: 10 }, 'undated'],
    ['one-1-py3-none-any.whl', { from: { path: 'x' } }, { cutOff: 10 }, 'usable'],
  ])('%s %j %j: %s', (file, facts, rules, verdict) => {
    expect(judged(file, facts, rules)).toBe(verdict);
  });
});
