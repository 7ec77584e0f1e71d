import { dirname } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError, type SourcePlace } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import type { HostContent, HostFile } from '../resolve/resolution.ts';
import { LARGEST_ARCHIVE, MOST_FILES } from './byte-source.ts';
import { hostFile, type HostDisk } from './host-disk.ts';
import { isHostSpecific, isPassedOver, isWholeSystem, type HostRules } from './host-rules.ts';
import type { HostTree } from './host-tree.ts';
import { walkHostFolder } from './host-walk.ts';
import { followHostPath, type WayEnd } from './host-way.ts';
import { isMergedFolder } from './usr-merge.ts';

export interface CollectorOptions {
  readonly disk: HostDisk;
  readonly tree: HostTree;
  readonly rules: HostRules;
  /** One line for a person each. */
  readonly warn: (message: string) => void;
}

/** Gathers what an image is to have of this machine: each thing once, links with what they lead to. */
export class HostCollector {
  readonly #options: CollectorOptions;
  readonly #files = new Map<string, HostFile>();
  readonly #folders = new Set<string>();
  #bytes = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /**
   * Takes what lies at `path`, a folder with all in it; gives the real path of what it leads to. Undefined for what
   * belongs to this machine alone, which is said, and for a folder that the loader searches, of which only what is needed
   * is taken. Throws E_HOST_FILE, at `place` if there is one.
   */
  add(path: string, place?: SourcePlace): string | undefined {
    try {
      return this.#addWay(path);
    } catch (error) {
      if (!(error instanceof RootcellarError) || error.code !== 'E_HOST_FILE' || place === undefined) throw error;
      throw new RootcellarError(error.code, error.message, { hint: error.hint, place, cause: error });
    }
  }

  /** Says of a thing that is there that the image does not get it. */
  leaveOut(path: string): void {
    this.#files.set(path, { kind: 'left_out', path });
  }

  has(path: string): boolean {
    const kind = this.#files.get(path)?.kind;
    return kind !== undefined && kind !== 'left_out';
  }

  /** Whether a folder is taken whole, by itself or by one around it. */
  isTaken(folder: string): boolean {
    return this.#folders.has(folder) || this.#isCovered(folder);
  }

  /** Regular files and links, in no order; more may be added meanwhile. */
  get files(): ReadonlyMap<string, HostFile> {
    return this.#files;
  }

  content(): HostContent {
    return {
      files: [...this.#files.values()].toSorted((a, b) => byteOrder(a.path, b.path)),
      folders: [...this.#folders].filter((folder) => !this.#isCovered(folder)).toSorted(byteOrder),
    };
  }

  #addWay(path: string): string | undefined {
    const { disk, rules } = this.#options;
    const { links, end } = followHostPath(disk, path);
    const lead = [path, ...links.map((link) => link.path), ...('path' in end ? [end.path] : [])];
    const own = lead.find(isHostSpecific);
    if (own !== undefined) {
      this.#drop(path, own === path ? 'belongs to this machine alone' : `leads to \`${own}\`, which is this machine's`);
      return undefined;
    }
    if (end.kind === 'missing') {
      this.#options.warn(`\`${path}\`: left out, as it does not exist`);
      return undefined;
    }
    const fault = faultOf(end);
    if (fault !== undefined) throw hostFile(path, fault, `ls -l ${path}`);
    if (end.kind !== 'file' && end.kind !== 'folder') return undefined;
    for (const { path: at, target } of links) this.#addLink(at, target);
    if (end.kind === 'file') this.#addFile(end.path);
    else if (rules.loaderFolders.has(end.path)) return undefined;
    else this.#addFolder(end.path);
    return end.path;
  }

  /** The links of a merged system are in every image. */
  #addLink(path: string, target: string): void {
    if (isMergedFolder(path.slice(1)) || this.#files.get(path)?.kind === 'link') return;
    this.#put({ kind: 'link', path, target });
  }

  #addFile(path: string): void {
    if (this.#files.get(path)?.kind === 'file') return;
    const { disk, tree } = this.#options;
    const thing = disk.look(path);
    const { size, digest } = tree.facts(path.slice(1));
    if (thing?.kind !== 'file') throw hostFile(path, 'changed while it was looked at');
    this.#bytes += size;
    if (this.#bytes > LARGEST_ARCHIVE) {
      const fault = `with it, the files of this machine are more than ${formatSize(LARGEST_ARCHIVE)}`;
      throw hostFile(path, fault, 'name fewer folders in `base.host.python_lib_path`');
    }
    this.#put({ kind: 'file', path, mode: thing.mode, size, digest });
  }

  #put(file: HostFile): void {
    this.#files.set(file.path, file);
    if (this.#files.size <= MOST_FILES) return;
    const fault = `with it, the files of this machine are more than ${MOST_FILES}`;
    throw hostFile(file.path, fault, 'name fewer folders in `base.host.python_lib_path`');
  }

  #addFolder(folder: string): void {
    if (this.isTaken(folder)) return;
    if (isWholeSystem(folder)) {
      throw hostFile(folder, 'is too much to take whole', 'name the folders in it that are needed');
    }
    this.#folders.add(folder);
    const { disk, rules } = this.#options;
    for (const finding of walkHostFolder(disk, folder, rules)) {
      if (finding.kind === 'file') this.#addFile(finding.path);
      else if (finding.kind === 'link') this.#addFoundLink(finding.path);
      else if (finding.kind === 'folder') this.#put({ kind: 'folder', path: finding.path });
      else if (finding.kind === 'dropped') this.#drop(finding.path, finding.reason);
    }
  }

  /** Whether a look into a folder around this one, which was taken, comes to it too. */
  #isCovered(folder: string): boolean {
    for (let path = folder; path !== '/'; path = dirname(path)) {
      if (isPassedOver(path, false, this.#options.rules)) return false;
      if (this.#folders.has(dirname(path))) return true;
    }
    return false;
  }

  /** A link that was not named: what it leads to comes along, unless that is nothing, or nothing that an image may have. */
  #addFoundLink(path: string): void {
    const { disk } = this.#options;
    const { links, end } = followHostPath(disk, path);
    const [link] = links;
    if (link === undefined) return;
    if (end.kind === 'missing' && !isHostSpecific(end.path)) this.#addLink(path, link.target);
    else if (end.kind === 'folder' && isWholeSystem(end.path)) this.#drop(path, `leads to all of \`${end.path}\``);
    else this.#addSound(path, faultOf(end));
    if (!this.has(path)) this.leaveOut(path);
  }

  #addSound(path: string, fault: string | undefined): void {
    if (fault === undefined) this.#addWay(path);
    else this.#drop(path, fault);
  }

  #drop(path: string, reason: string): void {
    this.#options.warn(`\`${path}\`: left out, as it ${reason}`);
  }
}

function faultOf(end: WayEnd): string | undefined {
  if (end.kind === 'circle') return 'is a link that leads in a circle';
  return end.kind === 'special' ? `is ${end.what}` : undefined;
}
