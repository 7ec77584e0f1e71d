import { rm } from 'node:fs/promises';
import { mergePart, type AssemblePart } from './assemble/assemble-tree.ts';
import { compileBytecode } from './assemble/bytecode-compiler.ts';
import { importableSources } from './assemble/bytecode-plan.ts';
import { interpreterLayout, type InterpreterLayout } from './assemble/interpreter-files.ts';
import { systemTree } from './assemble/system-tree.ts';
import type { Contents, UnpackedArtifact } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, type Digest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { PreparedArtifact } from './prepare-artifacts.ts';
import type { Interpreter } from './resolve/resolution.ts';
import { openContents } from './store/contents.ts';
import { materialisePaths } from './store/rootfs-folder.ts';
import { readUnpacked, writeUnpacked } from './store/unpacked.ts';

export interface CompileRequest {
  readonly prepared: readonly PreparedArtifact[];
  readonly target: LockedTarget;
  readonly architecture: Architecture;
  readonly suite: string;
  readonly format: number;
}

/** What a tree is merged of, and the names under which the store has the contents. */
export interface CompiledArtifacts {
  readonly parts: readonly AssemblePart[];
  readonly keys: readonly Digest[];
}

/** An artifact with Python files, and the name under which the store has their bytecode. */
interface Compilation extends PreparedArtifact {
  readonly bytecodeKey: Digest;
  readonly files: number;
}

/**
 * Unpacked artifacts → the same with their bytecode, in the store. Compiled by the image's own interpreter, once in the
 * life of a store for each artifact and interpreter. An image without Python passes through.
 */
export async function compileArtifacts(request: CompileRequest, context: PipelineContext): Promise<CompiledArtifacts> {
  const { prepared, target } = request;
  const { interpreter } = target;
  const compilations = interpreter === undefined ? [] : planCompilations(request, interpreter);
  const bytecode = new Map<Digest, UnpackedArtifact>();
  for (const { bytecodeKey } of compilations) {
    const compiled = await readUnpacked(context.store, bytecodeKey);
    if (compiled !== undefined) bytecode.set(bytecodeKey, compiled);
  }
  const missing = compilations.filter(({ bytecodeKey }) => !bytecode.has(bytecodeKey));
  if (missing.length > 0 && interpreter !== undefined) {
    const compiled = await compileMissing({ ...request, interpreter, missing }, context);
    for (const [key, artifact] of compiled) bytecode.set(key, artifact);
  }
  const keyOf = new Map(compilations.map(({ key, bytecodeKey }) => [key, bytecodeKey]));
  return {
    parts: prepared.map(({ artifact, key, unpacked }) => {
      const bytecodeKey = keyOf.get(key);
      return { artifact, unpacked, bytecode: bytecodeKey === undefined ? undefined : bytecode.get(bytecodeKey) };
    }),
    keys: [...prepared.map(({ key }) => key), ...compilations.map(({ bytecodeKey }) => bytecodeKey)],
  };
}

/** Bytecode depends on the sources, on the interpreter's own files, and on the format. */
function planCompilations({ prepared, format }: CompileRequest, interpreter: Interpreter): readonly Compilation[] {
  const version = /^\d+\.\d+/.exec(interpreter.version)?.[0] ?? '';
  const own = new Set([`python${version}-minimal`, `libpython${version}-minimal`, `libpython${version}-stdlib`]);
  const interpreterKeys = prepared
    .filter(({ artifact }) => own.has(artifact.name))
    .map(({ artifact }) => artifact.digest);
  return prepared.flatMap((one) => {
    const files = importableSources(one.unpacked, interpreter).length;
    if (files === 0) return [];
    const key = { format, sources: one.key, interpreter: interpreter.path, by: interpreterKeys };
    return [{ ...one, files, bytecodeKey: digestOf(canonicalJson(key)) }];
  });
}

interface MissingBytecode extends CompileRequest {
  readonly interpreter: Interpreter;
  readonly missing: readonly Compilation[];
}

async function compileMissing(
  request: MissingBytecode,
  context: PipelineContext,
): Promise<ReadonlyMap<Digest, UnpackedArtifact>> {
  const { prepared, missing, interpreter, architecture, suite } = request;
  const { store } = context;
  checkHost(architecture, context);
  const contents = openContents(
    store,
    prepared.map(({ key }) => key),
  );
  const root = await store.temporaryPath();
  try {
    const parts = prepared.map(({ artifact, unpacked }) => mergePart({ artifact, unpacked, bytecode: undefined }));
    const tree = systemTree({ architecture, suite, interpreter }, parts);
    const layout = interpreterLayout(tree, interpreter);
    await materialisePaths(contents, { tree, paths: layout.files, folder: root });
    return await compileAll({ missing, interpreter, layout, root, contents }, context);
  } finally {
    contents.close();
    await rm(root, { recursive: true, force: true });
  }
}

interface CompilerSetup {
  readonly missing: readonly Compilation[];
  readonly interpreter: Interpreter;
  readonly layout: InterpreterLayout;
  readonly root: string;
  readonly contents: Contents;
}

/** One artifact after another: each keeps all processors busy by itself. */
async function compileAll(
  { missing, interpreter, layout, root, contents }: CompilerSetup,
  { store, signal, progress }: PipelineContext,
): Promise<ReadonlyMap<Digest, UnpackedArtifact>> {
  const total = missing.reduce((sum, { files }) => sum + files, 0);
  progress({ kind: 'begin', step: 'compile', title: `compile ${total} Python files`, total: { items: total } });
  const compiled = new Map<Digest, UnpackedArtifact>();
  let items = 0;
  for (const { artifact, unpacked, bytecodeKey, files } of missing) {
    const options = { artifact: unpacked, contents, interpreter, layout, root, signal };
    const result = await writeUnpacked(store, bytecodeKey, async (sink) => {
      const { uncompiled, ...bytecode } = await compileBytecode({ ...options, sink });
      for (const { path, reason } of uncompiled) {
        progress({ kind: 'warning', message: `${artifact.name}: no bytecode for \`/${path}\`: ${reason}` });
      }
      return bytecode;
    });
    compiled.set(bytecodeKey, result);
    items += files;
    progress({ kind: 'advance', step: 'compile', done: { items }, detail: artifact.name });
  }
  progress({ kind: 'end', step: 'compile', summary: `${total} Python files of ${missing.length} artifacts` });
  return compiled;
}

function checkHost(architecture: Architecture, { hostArchitecture }: PipelineContext): void {
  if (architecture === hostArchitecture) return;
  throw new RootcellarError('E_BYTECODE', `bytecode for ${architecture}: this machine is ${hostArchitecture}`, {
    hint: `build on a machine that is ${architecture}`,
  });
}
