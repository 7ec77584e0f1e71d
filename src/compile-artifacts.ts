import { rm } from 'node:fs/promises';
import { mergePart, type AssemblePart } from './assemble/assemble-tree.ts';
import { importableSources } from './assemble/bytecode-plan.ts';
import type { InterpreterLayout } from './assemble/interpreter-files.ts';
import type { Contents, UnpackedArtifact } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, type Digest } from './base/digest.ts';
import { findCompiler, type Compiler } from './find-compiler.ts';
import type { LockedTarget, Lockfile } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { PreparedArtifact } from './prepare-artifacts.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { Interpreter } from './resolve/resolution.ts';
import { openContents } from './store/contents.ts';
import { readUnpacked, writeUnpacked } from './store/unpacked.ts';

export interface CompileRequest {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  readonly target: LockedTarget;
  readonly prepared: readonly PreparedArtifact[];
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
 * Unpacked artifacts → the same with their bytecode, in the store. Compiled by the image's own interpreter, or by one of
 * the same version that runs on this machine, once in the life of a store for each artifact and interpreter. An image
 * without Python passes through. Throws E_BYTECODE when there is no such interpreter.
 */
export async function compileArtifacts(request: CompileRequest, context: PipelineContext): Promise<CompiledArtifacts> {
  const { prepared, target } = request;
  const { interpreter } = target;
  const compiler = interpreter === undefined ? undefined : findCompiler({ ...request, interpreter }, context);
  const compilations = compiler === undefined ? [] : planCompilations(request, compiler);
  const bytecode = new Map<Digest, UnpackedArtifact>();
  for (const { bytecodeKey } of compilations) {
    const compiled = await readUnpacked(context.store, bytecodeKey);
    if (compiled !== undefined) bytecode.set(bytecodeKey, compiled);
  }
  const missing = compilations.filter(({ bytecodeKey }) => !bytecode.has(bytecodeKey));
  if (missing.length > 0 && compiler !== undefined) {
    const compiled = await compileMissing({ ...request, compiler, missing }, context);
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

/** Bytecode depends on the sources, on the compiling interpreter's own files, and on the format. */
function planCompilations({ prepared, lock }: CompileRequest, compiler: Compiler): readonly Compilation[] {
  const { interpreter } = compiler;
  return prepared.flatMap((one) => {
    const files = importableSources(one.unpacked, interpreter).length;
    if (files === 0) return [];
    const key = { format: lock.format, sources: one.key, interpreter: interpreter.path, by: compiler.digests };
    return [{ ...one, files, bytecodeKey: digestOf(canonicalJson(key)) }];
  });
}

interface MissingBytecode extends CompileRequest {
  readonly compiler: Compiler;
  readonly missing: readonly Compilation[];
}

async function compileMissing(
  request: MissingBytecode,
  context: PipelineContext,
): Promise<ReadonlyMap<Digest, UnpackedArtifact>> {
  const { prepared, missing, compiler, recipe } = request;
  const { architecture, interpreter } = compiler;
  const { store } = context;
  // Loaded only now: most builds compile nothing.
  const { interpreterLayout } = await import('./assemble/interpreter-files.ts');
  const { cachedLibraries } = await import('./assemble/ld-so-cache.ts');
  const { systemTree } = await import('./assemble/system-tree.ts');
  const { materialisePaths } = await import('./store/rootfs-folder.ts');
  const brought = await compiler.prepare();
  const keys = new Set([...prepared, ...brought].map(({ key }) => key));
  const contents = openContents(store, [...keys]);
  const root = await store.temporaryPath();
  try {
    const parts = brought.map(({ artifact, unpacked }) => mergePart({ artifact, unpacked, bytecode: undefined }));
    const suite = recipe.base.kind === 'debian' ? recipe.base.suite : undefined;
    const tree = systemTree({ architecture, suite, interpreter }, parts);
    const layout = interpreterLayout(tree, interpreter, cachedLibraries({ tree, contents, architecture }));
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
  const { compileBytecode } = await import('./assemble/bytecode-compiler.ts');
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
