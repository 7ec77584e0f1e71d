import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { parsePrintedUris } from './apt-output.ts';
import type { AptRoot } from './apt-root.ts';
import { tailOf } from './redact.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { runTool } from './run-tool.ts';

/**
 * Paths, without a first slash, of what looks like a library in Debian package `name`: of the version that would be
 * installed, as its own archive lists them. Downloads the package, which the image needs anyway; what was once listed is
 * kept below the cache folder by the digest that the signed index gives. Empty when apt has no such package.
 */
export async function libraryFiles(
  name: string,
  root: AptRoot,
  settings: ResolverSettings,
): Promise<readonly string[]> {
  const words = ['download', '-q', '--print-uris', '--', name];
  const printed = await root.run('apt-get', words);
  const [uri] = printed.exitCode === 0 ? (parsePrintedUris(printed.stdout) ?? []) : [];
  if (uri === undefined) return [];
  const folder = join(settings.cacheFolder, 'library-files');
  const kept = join(folder, shortDigest(uri.digest));
  const known = await root.read(kept);
  if (known !== undefined) return linesOf(Buffer.from(known).toString());
  const files = linesOf(await listDeb(name, root, settings));
  await mkdir(folder, { recursive: true });
  await writeFile(kept, files.join('\n'));
  return files;
}

/** apt checks what it downloads against the signed index. */
async function listDeb(name: string, root: AptRoot, settings: ResolverSettings): Promise<string> {
  const before = new Set(await readdir(root.folder));
  const { exitCode, stdout, stderr } = await root.run('apt-get', ['download', '-q', '--', name]);
  const deb = (await readdir(root.folder)).find((file) => file.endsWith('.deb') && !before.has(file));
  if (exitCode !== 0 || deb === undefined) {
    throw new RootcellarError('E_DOWNLOAD', `debian package \`${name}\`: ${tailOf(`${stdout}\n${stderr}`, 3)}`, {
      hint: 'check the network and the proxy settings of apt, then try again',
    });
  }
  const path = join(root.folder, deb);
  const result = await runTool({
    program: 'dpkg-deb',
    arguments: ['--contents', path],
    environment: { ...settings.environment, LC_ALL: 'C' },
    folder: root.folder,
    signal: settings.signal,
    timeoutMs: 120_000,
  });
  await rm(path);
  if (result?.exitCode === 0) return libraryPaths(result.stdout).join('\n');
  throw new RootcellarError('E_RESOLVER_FAILED', `dpkg-deb: ${tailOf(result?.stderr ?? 'no such program', 3)}`);
}

/** Of the lines of `dpkg-deb --contents`, such as `-rw-r--r-- root/root 7 2025-01-01 00:00 ./usr/lib/libx.so.1 -> y`. */
export function libraryPaths(listing: string): readonly string[] {
  return listing.split('\n').flatMap((line) => {
    const [, path] = /^[-lh]\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+\.\/(.+?)(?: -> .*| link to .*)?$/.exec(line) ?? [];
    return path !== undefined && /\.so(?:\.|$)/.test(path) ? [path] : [];
  });
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
