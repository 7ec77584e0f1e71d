import { networkPolicy } from '../run/network-policy.ts';
import { compileFilter } from '../run/filter-compiler.ts';
import { manifestJson, type ImageManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import type { RunLanguage } from './service-watch.ts';

/** Which profile a program of the language has, where the image's is for the other one. */
const PROFILES: Readonly<Record<RunLanguage, ReadonlyMap<string, string>>> = {
  python3: new Map([['node', 'python']]),
  nodejs: new Map([
    ['python', 'node'],
    ['python-subprocess', 'node'],
  ]),
};

/**
 * The image with the profile that programs of `language` need: an image that has both interpreters has the profile of one of
 * them, with what its recipe allows and denies besides.
 */
export function languageImage(image: Image, manifest: ImageManifest, language: RunLanguage): Image {
  const { sandbox, architecture } = manifest;
  const profile = PROFILES[language].get(sandbox.syscalls.profile);
  if (profile === undefined) return image;
  const syscalls = { ...sandbox.syscalls, profile };
  const policy = networkPolicy({ syscalls, network: sandbox.network }, architecture);
  const filter = Buffer.from(compileFilter(policy, architecture).program).toString('base64');
  return { ...image, manifest: manifestJson({ ...manifest, sandbox: { ...sandbox, syscalls }, filter }) };
}
