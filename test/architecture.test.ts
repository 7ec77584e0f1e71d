import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import fg from 'fast-glob';
import { describe, expect, it } from 'vitest';

/**
 * The pipeline, first stage first. A folder may import itself and the folders before it.
 * Files directly under src/ join the stages together; only what comes after them may import those, and index.ts.
 */
const STAGES = [
  'base',
  'recipe',
  'resolve',
  'lock',
  'assemble',
  'pack',
  'store',
  'publish',
  'run',
  'refresh',
  'serve',
  'client',
  'cli',
];

/** The only files that may touch the outside world. Everything else is a pure function of its arguments. */
const EFFECT_FILES: readonly string[] = [
  'add-missing-libraries.ts',
  'assemble/ask-interpreter.ts',
  'assemble/bytecode-compiler.ts',
  'assemble/compiler-process.ts',
  'assemble/decompress.ts',
  'assemble/host-disk.ts',
  'assemble/xz-process.ts',
  'base/half-made-file.ts',
  'base/special-file.ts',
  'build-cell.ts',
  'build-environment.ts',
  'build-wheel.ts',
  'cell-host.ts',
  'cell-network.ts',
  'cli/artifact-supply.ts',
  'cli/build-rootfs.ts',
  'cli/command-context.ts',
  'cli/dify-files.ts',
  'cli/doctor-verb.ts',
  'cli/end-process.ts',
  'cli/export-output.ts',
  'cli/export-verb.ts',
  'cli/import-verb.ts',
  'cli/keep-recipes-fresh.ts',
  'cli/load-verb.ts',
  'cli/main.ts',
  'cli/named-image.ts',
  'cli/output-paths.ts',
  'cli/pipeline.ts',
  'cli/prune-verb.ts',
  'cli/push-verb.ts',
  'cli/rebuild-verb.ts',
  'cli/refresh-verb.ts',
  'cli/report-file.ts',
  'cli/run-files.ts',
  'cli/run-summary.ts',
  'cli/run-verb.ts',
  'cli/schedule-verb.ts',
  'cli/serve-verb.ts',
  'cli/served-name.ts',
  'cli/served-recipe.ts',
  'cli/target-folder.ts',
  'cli/trace-verb.ts',
  'cli/unit-files.ts',
  'client/connect.ts',
  'compile-artifacts.ts',
  'container-rootfs.ts',
  'host-supply.ts',
  'lock/lockfile-files.ts',
  'pack/rootfs-writer.ts',
  'parked-run.ts',
  'prepare-artifacts.ts',
  'program-plan.ts',
  'publish/archive-files.ts',
  'publish/credential-helper.ts',
  'publish/docker-archive.ts',
  'publish/download-blob.ts',
  'publish/filesystem-image.ts',
  'publish/layout-archive.ts',
  'publish/local-source.ts',
  'publish/oci-layout.ts',
  'publish/push-images.ts',
  'publish/pushed-blobs.ts',
  'publish/registry-authority.ts',
  'publish/registry-client.ts',
  'publish/registry-credentials.ts',
  'publish/registry-source.ts',
  'publish/upload-blob.ts',
  'readings.ts',
  'rebuild-conditions.ts',
  'rebuild-image.ts',
  'recipe/bounded-file.ts',
  'recipe/recipe-location.ts',
  'refresh/schedule-clock.ts',
  'refresh/watched-files.ts',
  'resolve/apt-root.ts',
  'resolve/deb-files.ts',
  'resolve/git-program.ts',
  'resolve/git-repository.ts',
  'resolve/http-client.ts',
  'resolve/image-interpreter.ts',
  'resolve/index-answer.ts',
  'resolve/index-gate.ts',
  'resolve/network-agent.ts',
  'resolve/package-index.ts',
  'resolve/pip-resolver.ts',
  'resolve/python-index.ts',
  'resolve/remembered-answer.ts',
  'resolve/run-tool.ts',
  'resolve/source-resolver.ts',
  'resolve/temporary-folder.ts',
  'resolve/uv-resolver.ts',
  'run/cell-process.ts',
  'run/cgroup-probe.ts',
  'run/cgroup-sweep.ts',
  'run/egress-connect.ts',
  'run/egress-http.ts',
  'run/egress-proxy.ts',
  'run/launch-cell.ts',
  'run/local-files.ts',
  'run/output-files.ts',
  'run/park-cell.ts',
  // A program for Node.js, as text.
  'run/parked-programs.ts',
  'run/probe-cell.ts',
  // A list of networks, which node:net has.
  'run/special-addresses.ts',
  'run/zygote.ts',
  'serve/returned-files.ts',
  'serve/service-clock.ts',
  'serve/software-versions.ts',
  'serve/status-page.ts',
  'serve/watched-images.ts',
  'store/artifacts.ts',
  'store/byte-request.ts',
  'store/contents.ts',
  'store/disk-use.ts',
  'store/download-artifact.ts',
  'store/durable-file.ts',
  'store/file-memory.ts',
  'store/flock.ts',
  'store/garbage.ts',
  'store/image-use.ts',
  'store/images.ts',
  'store/kernel-lock.ts',
  'store/leftovers.ts',
  'store/open-file.ts',
  'store/own-folders.ts',
  'store/pack-writer.ts',
  'store/partial-file.ts',
  'store/prune-plan.ts',
  'store/put-image.ts',
  'store/refresh-history.ts',
  'store/remove-generations.ts',
  'store/replace-file.ts',
  'store/rootfs-comparison.ts',
  'store/rootfs-folder.ts',
  'store/session.ts',
  'store/slot-folder.ts',
  'store/store-fault.ts',
  'store/store-use.ts',
  'store/store.ts',
  'store/sweep-store.ts',
  'store/tree-writer.ts',
  'store/unpacked.ts',
  'store/vendor-folder.ts',
  'store/vendor-host.ts',
  'store/verify-generations.ts',
  'store/verify-image.ts',
  'store/verify-store.ts',
  'warm-pool.ts',
  'wheel-factory.ts',
];

const EFFECT_MODULES =
  /^(?:node:(?:fs|child_process|http|https|net|os|process|timers|dns|tls|worker_threads)|fs-extra|execa|undici|tar-fs|fast-glob)\b/;
const EFFECT_GLOBALS =
  /(?<![.\w'`])(?:process\.[a-z]|fetch\(|Date\.now\(|Math\.random\(|console\.|setTimeout\(|setInterval\()/;

const SOURCE = join(import.meta.dirname, '..', 'src');
const FILES = fg.sync('**/*.ts', { cwd: SOURCE }).toSorted();
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;

function textOf(file: string): string {
  return readFileSync(join(SOURCE, file), 'utf8');
}

function importsOf(text: string): string[] {
  return [...text.matchAll(SPECIFIER)].map((match) => match[1] ?? '');
}

/** The code alone: comments and imports of types reach for nothing. */
function codeOf(file: string): string {
  return textOf(file)
    .replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')
    .replaceAll(/^import type [^;]*;$/gm, '');
}

function stageOf(file: string): number {
  return file.includes('/') ? STAGES.indexOf(file.split('/')[0] ?? '') : STAGES.length;
}

/** Folders that come after the joins. */
const AFTER_JOINS = ['refresh', 'serve', 'cli'];

/** Files of src/ itself stand between the stages and what comes after; index.ts is outside of all. */
function mayImport(file: string, target: string): boolean {
  const isJoin = !file.includes('/') && file !== 'index.ts';
  const isAfter = AFTER_JOINS.some((stage) => target.startsWith(`${stage}/`));
  if (isJoin) return !isAfter;
  if (file === 'index.ts') return !target.startsWith('cli/');
  if (!target.includes('/')) return AFTER_JOINS.some((stage) => file.startsWith(`${stage}/`));
  return stageOf(target) <= stageOf(file);
}

describe('import direction', () => {
  it.each(FILES)('%s imports no later stage', (file) => {
    expect(stageOf(file)).toBeGreaterThanOrEqual(0);
    const later = importsOf(textOf(file))
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(SOURCE, join(SOURCE, dirname(file), specifier)))
      .filter((target) => !mayImport(file, target));
    expect(later).toEqual([]);
  });
});

describe('effects stay at the edge', () => {
  it('lists every file that reaches outside, and no other', () => {
    const effectful = FILES.filter((file) => {
      const code = codeOf(file);
      return EFFECT_GLOBALS.test(code) || importsOf(code).some((specifier) => EFFECT_MODULES.test(specifier));
    });
    expect(effectful).toEqual(EFFECT_FILES);
  });
});
