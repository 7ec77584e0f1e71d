import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from '../../src/base/architecture.ts';

/**
 * Gives the newest kernel that this machine's own apt sources have for an architecture: apt gets it with a state of its
 * own in `folder`, checks the signatures as always, and installs nothing.
 */
export function debianKernel(architecture: Architecture, folder: string): string {
  for (const name of ['lists/partial', 'archives/partial', 'unpacked']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  const settings = [
    `Dir::State=${folder}`,
    `Dir::State::status=${join(folder, 'status')}`,
    `Dir::Cache=${folder}`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'APT::Sandbox::User=root',
  ].flatMap((setting) => ['-o', setting]);
  const apt = (program: 'apt-get' | 'apt-cache', ...words: readonly string[]): string =>
    execFileSync(program, [...settings, '-qq', ...words], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  apt('apt-get', 'update');
  const [, kernel] =
    /Depends: (linux-image-\S+)/.exec(apt('apt-cache', 'depends', `linux-image-cloud-${architecture}`)) ?? [];
  if (kernel === undefined) throw new Error(`apt knows no kernel for ${architecture}`);
  apt('apt-get', 'download', kernel);
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
  execFileSync('dpkg-deb', ['-x', join(folder, archive ?? ''), join(folder, 'unpacked')]);
  const boot = join(folder, 'unpacked/boot');
  return join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz')) ?? '');
}
