import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { describe, expect, it } from 'vitest';
import { HostCollector } from '../../src/assemble/host-collector.ts';
import { HostTree } from '../../src/assemble/host-tree.ts';
import { toyHost, type ToyHost } from './host-disks.ts';

interface Collection {
  readonly collector: HostCollector;
  readonly warnings: string[];
  readonly lines: () => readonly string[];
}

function collectorFor(host: ToyHost): Collection {
  const warnings: string[] = [];
  const collector = new HostCollector({
    disk: host.disk,
    tree: new HostTree(host.disk),
    rules: { stdlib: '/usr/lib/python3.11', loaderFolders: new Set(['/usr/lib/x86_64-linux-gnu']) },
    warn: (message) => warnings.push(message),
  });
  const lines = (): readonly string[] =>
    collector
      .content()
      .files.map((file) => (file.kind === 'link' ? `${file.path} -> ${file.target}` : `${file.path} (${file.kind})`));
  return { collector, warnings, lines };
}

describe('HostCollector', () => {
  it('takes links with all that they lead to, over chains, folders, and out of the folder that was named', () => {
    using host = toyHost({
      'opt/app/a': '-> b',
      'opt/app/b': '-> /srv/data/file',
      'opt/app/folder': '-> ../other/./folder',
      'opt/app/self': '-> .',
      'opt/app/dangling': '-> nowhere',
      'opt/other/folder/inside': 'x',
      'opt/other/untouched': 'x',
      'srv/data': '-> /mnt/disk/data',
      'mnt/disk/data/file': 'x',
    });
    const { collector, lines, warnings } = collectorFor(host);
    collector.add('/opt/app');
    expect(lines()).toEqual([
      '/mnt/disk/data/file (file)',
      '/opt/app/a -> b',
      '/opt/app/b -> /srv/data/file',
      '/opt/app/dangling -> nowhere',
      '/opt/app/folder -> ../other/./folder',
      '/opt/app/self -> .',
      '/opt/other/folder/inside (file)',
      '/srv/data -> /mnt/disk/data',
    ]);
    expect(collector.content().folders).toEqual(['/opt/app', '/opt/other/folder']);
    expect(warnings).toEqual([]);
  });

  it('counts folders once that lie in one another, but for those that are passed over unless they are named', () => {
    using host = toyHost({
      'usr/lib/python3.11/json/tool.py': 'x',
      'usr/lib/python3.11/site-packages/toy/inside.py': 'x',
      'usr/lib/python3.11/test/test_toy.py': 'x',
    });
    const { collector, lines } = collectorFor(host);
    for (const folder of ['/json', '/site-packages/toy', '/site-packages', ''])
      collector.add(`/usr/lib/python3.11${folder}`);
    expect(collector.content().folders).toEqual(['/usr/lib/python3.11', '/usr/lib/python3.11/site-packages']);
    expect(lines()).toEqual([
      '/usr/lib/python3.11/json/tool.py (file)',
      '/usr/lib/python3.11/site-packages/toy/inside.py (file)',
    ]);
  });

  it('knows the links of a merged system, and takes a folder that the loader searches by parts only', () => {
    using host = toyHost({
      lib: '-> usr/lib',
      'usr/lib/x86_64-linux-gnu/libz.so.1': '-> libz.so.1.2',
      'usr/lib/x86_64-linux-gnu/libz.so.1.2': {},
      'usr/lib/x86_64-linux-gnu/libother.so.1': {},
    });
    const { collector, lines } = collectorFor(host);
    expect(collector.add('/lib/x86_64-linux-gnu')).toBeUndefined();
    expect(lines()).toEqual([]);
    collector.add('/lib/x86_64-linux-gnu/libz.so.1');
    expect(lines()).toEqual([
      '/usr/lib/x86_64-linux-gnu/libz.so.1 -> libz.so.1.2',
      '/usr/lib/x86_64-linux-gnu/libz.so.1.2 (file)',
    ]);
  });

  it('says of each thing in a folder that no image may have why it was left out', async () => {
    using host = toyHost({
      'opt/app/ok': 'x',
      'opt/app/hosts': '-> /etc/hosts',
      'opt/app/loop': '-> loop',
      'opt/app/everything': '-> /',
      'opt/app/.ssh/id_ed25519': 'secret',
      'etc/hosts': 'x',
    });
    execFileSync('mkfifo', [join(host.root, 'opt/app/fifo')]);
    const server = createServer().listen(join(host.root, 'opt/app/socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    writeFileSync(Buffer.concat([Buffer.from(join(host.root, 'opt/app/')), Buffer.from([0xff])]), 'x');
    const { collector, lines, warnings } = collectorFor(host);
    collector.add('/opt/app');
    server.close();
    expect(lines().filter((line) => !line.endsWith('(left_out)'))).toEqual(['/opt/app/ok (file)']);
    expect(warnings.toSorted()).toEqual([
      '`/opt/app/.ssh`: left out, as it belongs to this machine alone',
      '`/opt/app/everything`: left out, as it leads to all of `/`',
      '`/opt/app/fifo`: left out, as it is a FIFO',
      "`/opt/app/hosts`: left out, as it leads to `/etc/hosts`, which is this machine's",
      '`/opt/app/loop`: left out, as it is a link that leads in a circle',
      '`/opt/app/socket`: left out, as it is a socket',
      '`/opt/app/…`: left out, as it has a name that is not plain UTF-8 text, which no lockfile can hold',
    ]);
  });

  it.each([
    ['/loop', 'is a link that leads in a circle'],
    ['/fifo', 'is a FIFO'],
    ['/usr', 'is too much to take whole'],
    ['/huge', 'is larger than 2 GiB'],
  ])('refuses %s where it is named, at the place in the recipe', (path, fault) => {
    using host = toyHost({ loop: '-> loop', huge: '', 'usr/x': 'x' });
    execFileSync('mkfifo', [join(host.root, 'fifo')]);
    truncateSync(join(host.root, 'huge'), 2 ** 31);
    const place = { file: 'recipe.yaml', line: 3, column: 5 };
    expect(() => collectorFor(host).collector.add(path, place)).toThrow(
      expect.objectContaining({ code: 'E_HOST_FILE', message: `\`${path}\`: ${fault}`, place }),
    );
  });

  it('says which file this user cannot read', ({ skip }) => {
    if (getuid?.() === 0) skip('root reads everything');
    using host = toyHost({ 'opt/app/private': 'x' });
    chmodSync(join(host.root, 'opt/app/private'), 0);
    expect(() => collectorFor(host).collector.add('/opt/app')).toThrow(
      '`/opt/app/private`: cannot be read by this user',
    );
  });

  it('keeps of modes whether a file may be executed, of hard links two files, of folders the empty ones', () => {
    using host = toyHost({ 'opt/app/program': 'x', 'opt/app/data': 'y' });
    const at = (name: string): string => join(host.root, 'opt/app', name);
    chmodSync(at('program'), 0o6711);
    chmodSync(at('data'), 0o600);
    linkSync(at('data'), at('linked'));
    mkdirSync(at('empty/inside'), { recursive: true });
    mkdirSync(at('__pycache__'));
    const { collector } = collectorFor(host);
    collector.add('/opt/app');
    const digest = expect.stringMatching(/^sha256:/);
    expect(collector.content().files).toEqual([
      { kind: 'file', path: '/opt/app/data', mode: 0o644, size: 1, digest },
      { kind: 'folder', path: '/opt/app/empty/inside' },
      { kind: 'file', path: '/opt/app/linked', mode: 0o644, size: 1, digest },
      { kind: 'file', path: '/opt/app/program', mode: 0o755, size: 1, digest },
    ]);
  });
});
