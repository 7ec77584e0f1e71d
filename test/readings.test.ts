import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../src/base/digest.ts';
import { readBoundedFile, readFileBelow } from '../src/recipe/bounded-file.ts';
import { readOnce, type ReadingSubject } from '../src/readings.ts';
import { scratchStore } from './store/scratch-store.ts';

interface Toy {
  readonly folder: string;
  readonly subject: ReadingSubject;
  readonly kept: string;
}

async function toy(): Promise<Toy> {
  const { home } = await scratchStore();
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-readings-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'a');
  writeFileSync(file, 'one');
  return { folder, subject: { kind: 'recipe', file, home }, kept: join(home, 'cache/readings') };
}

/** Counts how often it really read. */
function reader(path: string, value: (content: Uint8Array | undefined) => unknown) {
  const counted = {
    count: 0,
    read: async (): Promise<unknown> => {
      counted.count += 1;
      const result = await readBoundedFile(path, 100);
      return value(result.kind === 'content' ? result.content : undefined);
    },
  };
  return counted;
}

const asText = (content: Uint8Array | undefined): unknown => ({ text: content && Buffer.from(content).toString() });

describe('readOnce()', () => {
  it('reads again only when a file that was read has other bytes', async () => {
    const { subject } = await toy();
    const { file } = subject;
    const counted = reader(file, asText);
    expect(await readOnce(subject, counted.read)).toEqual({ text: 'one' });
    expect(await readOnce(subject, counted.read)).toEqual({ text: 'one' });
    expect(counted.count).toBe(1);
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'two');
    utimesSync(file, atime, mtime);
    expect(await readOnce(subject, counted.read)).toEqual({ text: 'two' });
    expect(counted.count).toBe(2);
  });

  it('reads again when a file that was missing is there, and the other way round', async () => {
    const { subject, folder } = await toy();
    const counted = reader(join(folder, 'b'), asText);
    expect(await readOnce(subject, counted.read)).toEqual({ text: undefined });
    writeFileSync(join(folder, 'b'), 'new');
    expect(await readOnce(subject, counted.read)).toEqual({ text: 'new' });
    unlinkSync(join(folder, 'b'));
    expect(await readOnce(subject, counted.read)).toEqual({ text: undefined });
  });

  it('reads again when a name below a folder leads out of it now', async () => {
    const { subject, folder } = await toy();
    const outside = mkdtempSync(join(tmpdir(), 'rootcellar-outside-'));
    onTestFinished(() => rmSync(outside, { recursive: true }));
    writeFileSync(join(outside, 'a'), 'one');
    const read = async (): Promise<string> => (await readFileBelow(folder, 'a', 100)).kind;
    expect(await readOnce(subject, read)).toBe('content');
    unlinkSync(join(folder, 'a'));
    symlinkSync(join(outside, 'a'), join(folder, 'a'));
    expect(await readOnce(subject, read)).toBe('outside');
  });

  it('keeps maps, bytes and absent members as they are', async () => {
    const { subject } = await toy();
    const value = { map: new Map([['a', [1]]]), bytes: new Uint8Array([1, 2]), absent: undefined };
    const counted = reader(subject.file, () => value);
    await readOnce(subject, counted.read);
    expect(await readOnce(subject, counted.read)).toStrictEqual(value);
    expect(counted.count).toBe(1);
  });

  it.each([
    ['what has a prototype', () => ({ url: new URL('http://localhost/') })],
    ['what has a function', () => ({ place: () => 1 })],
    [
      'a recipe with a source that was not read by way of bounded-file.ts',
      () => ({ sources: [{ digest: digestOf('x') }] }),
    ],
  ])('does not keep %s', async (_, value) => {
    const { subject } = await toy();
    const counted = reader(subject.file, value);
    await readOnce(subject, counted.read);
    await readOnce(subject, counted.read);
    expect(counted.count).toBe(2);
  });

  it('passes over what is damaged', async () => {
    const { subject, kept } = await toy();
    const counted = reader(subject.file, asText);
    await readOnce(subject, counted.read);
    const [name] = readdirSync(kept);
    truncateSync(join(kept, name ?? ''), 70);
    expect(await readOnce(subject, counted.read)).toEqual({ text: 'one' });
    expect(counted.count).toBe(2);
  });

  it('reads for itself where nothing can be kept', async () => {
    const { subject, kept } = await toy();
    mkdirSync(join(kept, '..'), { recursive: true });
    symlinkSync('readings', kept);
    const counted = reader(subject.file, asText);
    for (const _ of [1, 2]) expect(await readOnce(subject, counted.read)).toEqual({ text: 'one' });
    expect(counted.count).toBe(2);
  });

  it('keeps nothing of a reading that fails, and makes no store', async () => {
    const { subject, folder } = await toy();
    await expect(readOnce(subject, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    const home = join(folder, 'none');
    await readOnce({ ...subject, home }, () => Promise.resolve(1));
    expect(readdirSync(folder)).toEqual(['a']);
  });
});
