/** The names that `sandbox.syscalls` may use. A port: `run/` knows them, `recipe/` only checks against them. */
export interface SyscallVocabulary {
  readonly profiles: readonly string[];
  /** With their `@`. */
  readonly groups: readonly string[];
  readonly syscalls: readonly string[];
}
