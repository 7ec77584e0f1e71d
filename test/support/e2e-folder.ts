import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder for all end-to-end tests of one session: what one of them downloads, the others need not. */
    readonly e2eFolder: string;
  }
}

/** The global set-up of the end-to-end project. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-e2e-'));
  project.provide('e2eFolder', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
