import type { ImageManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import type { RunLanguage } from './service-watch.ts';

/** An image that runs can have, with what a service needs to know of it. A run keeps the one that it began with. */
export interface ServedImage {
  readonly image: Image;
  readonly manifest: ImageManifest;
  /** The same image under the rules for programs of a language; no member where it cannot run them. */
  readonly byLanguage: Readonly<Partial<Record<RunLanguage, Image>>>;
  /** What is installed for Python, in byte order of name. */
  readonly packages: () => Promise<readonly InstalledDependency[]>;
}

export interface InstalledDependency {
  readonly name: string;
  readonly version: string;
}

export type Upgrade = 'none' | 'all';

/** Where new runs take their image from. It may be another one at any time. */
export interface ImageSource {
  /** Undefined until there is one. */
  current(): ServedImage | undefined;
  /** Why it is not the newest, or not there; for operators. */
  problem(): string | undefined;
  /**
   * Reads again what the image is made from, builds it, tries it out, and switches to it. `all`: newer versions are taken, too.
   * When it throws, the old image goes on being served; E_REFRESH_KEPT: because the new one is worse. Without anything to build from, only looks whether there is a newer one.
   */
  refresh(upgrade: Upgrade): Promise<void>;
}
