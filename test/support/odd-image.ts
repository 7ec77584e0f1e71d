import { execa } from 'execa';
import { own } from './own-architecture.ts';
import { rootcellar, type Workplace } from './command.ts';

/** A tar with whatever file systems can hold that an image may have, and its generation in a store of its own. */
export interface OddImage {
  readonly home: string;
  /** Which it is not for. */
  readonly otherArchitecture: string;
  /** As the store calls it. */
  readonly name: string;
  readonly tar: string;
  /** Of its root file system, as `find` lists it. */
  readonly folder: string;
}

const SCRIPT = `
umask 022
mkdir -p root/usr/bin root/etc root/tmp root/deep/er "root/a folder" root/empty
printf 'one\\n' > root/usr/bin/one
ln root/usr/bin/one root/usr/bin/another
ln -s ../usr/bin/one root/etc/link
ln -s /nowhere root/etc/dangling
head -c 3000000 /dev/zero | tr '\\0' z > root/deep/er/large
printf 'ä' > "root/a folder/ünïcödé"
: > root/etc/nothing
chmod 1777 root/tmp
chmod 0600 root/etc/nothing
chown 1000:50 root/etc/nothing
chown 70000:80000 root/empty
find root -exec touch -h -d @1700000000 {} +
touch -d @1500000000 root/usr/bin/one
touch -d @1600000000 root/deep root/etc
touch -d @1700000000 root
tar --sort=name --numeric-owner -C root -cf odd.tar .
`;

export async function oddImage(work: Workplace): Promise<OddImage> {
  await execa('sh', ['-ec', SCRIPT], { cwd: work.folder });
  const home = work.path('store');
  const tar = work.path('odd.tar');
  const loaded = await rootcellar(['show', tar, '--json', '-q'], { home });
  if (loaded.status !== 0) throw new Error(loaded.stderr);
  const listed = await rootcellar(['images', '--json', '-q'], { home });
  const name = JSON.parse(listed.stdout).images.find((one: { architecture: string }) => one.architecture === own).name;
  return { home, otherArchitecture: own === 'amd64' ? 'arm64' : 'amd64', name, tar, folder: work.path('root') };
}

/** Every entry with its kind, mode, owner, time, number of links and size; folders without their sizes, which differ by file system. */
export async function entriesBelow(folder: string): Promise<string> {
  const folders = ['-type', 'd', '-printf', '%P %y %m %U:%G %T@\n'];
  const others = ['-printf', '%P %y %m %U:%G %T@ %n %l %s\n'];
  const { stdout } = await execa('find', [folder, ...folders, '-o', ...others]);
  return stdout.split('\n').toSorted().join('\n');
}
