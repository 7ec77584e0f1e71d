import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noProgress } from '../../src/base/progress.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { parseLimitSetting } from '../../src/recipe/limit-setting.ts';
import { plainNetwork } from '../../src/recipe/network-schema.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { startProgram } from '../../src/run-program.ts';
import { manifestJson, readManifest } from '../../src/store/image-manifest.ts';
import { findImage } from '../../src/store/images.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { outerFilter } from '../support/restricted-host.ts';
import { ARCHITECTURE, sweepPatiently, type Machine } from './machine.ts';
import { startAttack, type AttackRequest } from './start-attack.mjs';
import { baseline, leftBehind, type Baseline, type LocalHost } from './sweep.ts';
import { setIdentities, type Identities } from './variation.ts';

const MODULES = {
  startProgram,
  parseLimitSetting,
  plainNetwork,
  compilePolicy,
  compileFilter,
  manifestJson,
  readManifest,
  noProgress,
  RootcellarError,
};

const CANARY = 'nothing that a guest may read\n';

/** This machine, with the library in this process. */
export async function localMachine(
  home: string,
  identities: Identities,
  begin: typeof startProgram = startProgram,
): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-attacks-'));
  const canary = join(folder, 'canary');
  writeFileSync(canary, CANARY, { mode: 0o644 });
  setIdentities({ ...identities, lockFile: join(folder, 'uids') });
  const store = await Store.open({ home });
  const images = {
    python: await findImage(store, 'python', ARCHITECTURE),
    nodejs: await findImage(store, 'nodejs', ARCHITECTURE),
  };
  const root = await materialiseRootfs(store, images.python, {
    progress: noProgress,
    signal: new AbortController().signal,
  });
  let visits = 0;
  const count = (): void => void (visits += 1);
  const abstract = `rootcellar-attack-${process.pid}`;
  const servers = [createServer(count), createServer(count)];
  const port = await listen(servers[0], { port: 0, host: '0.0.0.0' });
  await listen(servers[1], { path: `\0${abstract}` });
  const local: LocalHost = {
    folder,
    root,
    identities,
    visits: () => visits,
    isCanaryWhole: () => readFileSync(canary, 'utf8') === CANARY,
  };
  let before: Baseline | undefined;
  return {
    canaries: new Map([
      ['{canary}', canary],
      ['{port}', `${port}`],
      ['{socket}', abstract],
    ]),
    outer: outerFilter('root'),
    start: (request: AttackRequest) => {
      const cancel = new AbortController();
      const place = { store, images, architecture: ARCHITECTURE };
      const modules = { ...MODULES, startProgram: begin };
      return { ended: startAttack(modules, place, { request, cancel: cancel.signal }), cancel: () => cancel.abort() };
    },
    settle: () => {
      before = baseline(local);
      return Promise.resolve();
    },
    sweep: () => sweepPatiently(() => leftBehind(local, before)),
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function listen(server: Server | undefined, where: Parameters<Server['listen']>[0]): Promise<number> {
  await new Promise<void>((resolve) => void server?.listen(where, resolve));
  const address = server?.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
