import { readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { parseImage, type Image } from './image-record.ts';
import { IMAGE_NAME, readTree, treePath } from './images.ts';
import { packPath } from './unpacked.ts';
import { verifyTar } from './verify-image.ts';
import { faultsOf, statusOf, stray, type StoreFault, type StoreItem } from './store-fault.ts';

/** One name: the generations of each architecture, and the link to the current one. */
export async function checkGenerations(item: StoreItem): Promise<readonly StoreFault[]> {
  const { path, name } = item;
  if (!IMAGE_NAME.test(name) || statusOf(path)?.isDirectory() === false) return stray(item);
  const faults: StoreFault[] = [];
  for (const child of readdirSync(path)) {
    const architecture = parseArchitecture(child);
    if (architecture !== child || statusOf(join(path, child))?.isDirectory() !== true) {
      faults.push(...stray({ path: join(path, child) }));
      continue;
    }
    faults.push(...(await checkArchitecture({ ...item, path: join(path, child), architecture })));
  }
  return faults;
}

interface NamedFolder extends StoreItem {
  readonly architecture: Architecture;
}

async function checkArchitecture(folder: NamedFolder): Promise<readonly StoreFault[]> {
  const { path } = folder;
  const files = readdirSync(path);
  const damaged: StoreFault[] = [];
  const incomplete: StoreFault[] = [];
  const target = targetOf(join(path, 'current'));
  for (const file of files.filter((name) => !OTHER_FILES.has(name))) {
    if (!/^[1-9]\d{0,8}\.json$/.test(file)) {
      damaged.push(...stray({ path: join(path, file) }));
      continue;
    }
    const images: Image[] = [];
    damaged.push(...(await readGeneration({ ...folder, path: join(path, file) }, file, images)));
    for (const image of images) incomplete.push(...(await checkImage(image, folder, file === target)));
  }
  const links = ['current', 'previous'].flatMap((name) => linkFaults({ link: join(path, name), path, damaged }));
  return [...damaged, ...incomplete, ...links];
}

/** Of a name and architecture, besides generations: which is current, which was before, and the next one's number. */
const OTHER_FILES: ReadonlySet<string> = new Set(['current', 'previous', 'next']);

async function readGeneration(folder: NamedFolder, file: string, found: Image[]): Promise<readonly StoreFault[]> {
  const { path, name, architecture } = folder;
  return faultsOf(path, async () => {
    const image = parseImage(await readFile(path, 'utf8'));
    const isItself = image.name === name && image.architecture === architecture && `${image.generation}.json` === file;
    if (!isItself) throw new Error('is of another image');
    found.push(image);
  });
}

/** Damage of what it is made of has been told already; here it counts what is missing, and what the whole gives. */
async function checkImage(image: Image, folder: NamedFolder, isCurrent: boolean): Promise<readonly StoreFault[]> {
  const { store, earlier, path } = folder;
  const parts = [treePath(store, image.diffId), ...image.unpackedKeys.map((key) => packPath(store, key))];
  if (earlier.some((fault) => parts.includes(fault.path))) return [];
  const record = join(path, `${image.generation}.json`);
  const remedy = isCurrent ? 'build' : 'remove';
  const missing = parts.filter((part) => statusOf(part) === undefined);
  const what = `generation ${image.generation} of \`${image.name}\` for ${image.architecture}`;
  if (missing.length > 0) {
    return missing.map((part) => ({ path: record, message: `${what}: \`${part}\` is missing`, remedy }));
  }
  const faults = await verifyTar(store, image, await readTree(store, image));
  return faults.map((message) => ({ path: treePath(store, image.diffId), message, remedy: 'remove' }));
}

interface GenerationLink {
  readonly link: string;
  readonly path: string;
  readonly damaged: readonly StoreFault[];
}

/** There may be none: a process was killed before it made the first one. */
function linkFaults({ link, path, damaged }: GenerationLink): readonly StoreFault[] {
  if (statusOf(link) === undefined) return [];
  const target = targetOf(link);
  if (target === undefined) return [{ path: link, message: `\`${link}\`: is no link`, remedy: 'remove' }];
  const generation = join(path, target);
  const isSound =
    /^[1-9]\d{0,8}\.json$/.test(target) &&
    statusOf(generation) !== undefined &&
    !damaged.some((fault) => fault.path === generation);
  if (isSound) return [];
  return [{ path: link, message: `\`${link}\`: leads to no sound generation: ${target}`, remedy: 'remove' }];
}

function targetOf(link: string): string | undefined {
  return statusOf(link)?.isSymbolicLink() === true ? readlinkSync(link) : undefined;
}
