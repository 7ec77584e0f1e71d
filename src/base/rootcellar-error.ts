/** Every code that a user can meet, with what it means. The docs list exactly these; a test holds both together. */
export const ERROR_CODES = {
  E_USAGE: 'the command line is wrong',
  E_CANCELLED: 'stopped by a signal from outside',
  E_RECIPE_NOT_FOUND: 'the recipe, or a file it names, does not exist',
  E_RECIPE_SYNTAX: 'the recipe is not acceptable YAML (syntax, duplicate key, too many aliases, too large)',
  E_RECIPE_KEY: 'the recipe has a key that does not exist',
  E_RECIPE_VALUE: 'a value in the recipe has the wrong type or is out of range',
  E_RECIPE_PATH: 'a path in the recipe leaves its folder',
  E_CONFIG_VALUE: 'a configuration to import has something that cannot be read',
  E_REQUIREMENT_SYNTAX: 'a line of the requirements file cannot be read',
  E_REQUIREMENT_UNKNOWN: 'the package index has no such distribution or version',
  E_REQUIREMENT_CONFLICT: 'the requirements contradict each other',
  E_REQUIREMENT_NO_WHEEL: 'there is no wheel for this interpreter and architecture',
  E_REQUIREMENT_REFUSED: 'every version that would fit is too young, yanked or without a listed hash',
  E_WHEEL_BUILD: 'a wheel could not be built from its source',
  E_RESOLVER_MISSING: 'no program on this machine can resolve this',
  E_RESOLVER_FAILED: 'the resolver failed for a reason of its own',
  E_INDEX_UNKNOWN: 'no package index is configured on this machine',
  E_INDEX_DENIED: 'a package index wants other credentials',
  E_INDEX_INVALID: 'an address that is named as a package index is none',
  E_INDEX_NO_TIMES: 'a package index does not say how old its files are',
  E_DEB_UNKNOWN: 'the suite has no such Debian package',
  E_LIBRARY_UNKNOWN: 'no package of the suite, or none of several, is known to bring this shared object',
  E_DEB_CONFLICT: 'the Debian packages cannot be installed together',
  E_ARCHIVE_UNTRUSTED: 'an archive index does not match its signature or its digests',
  E_ARCHIVE_UNKNOWN: 'apt has no source for this suite',
  E_HOST_PYTHON: 'the interpreter of `base.host` cannot be used',
  E_HOST_FILE: 'a file of this machine cannot be taken into an image',
  E_HOST_CHANGED: 'files of this machine are not those that were locked',
  E_LOCK_MISSING: 'there is no lockfile, and making one was not allowed',
  E_LOCK_INVALID: 'the lockfile cannot be read',
  E_LOCK_NEWER: 'the lockfile was written by a newer version',
  E_LOCK_WRITE: 'the lockfile cannot be written',
  E_LOCK_DRIFT: 'the lockfile does not match its recipe',
  E_NOT_REPRODUCED: 'the build gave other bytes than the lockfile says',
  E_OFFLINE: 'something is not on this machine, and the network may not be used',
  E_DOWNLOAD: 'a download failed',
  E_DOWNLOAD_GONE: 'the archive or index does not have the locked file any more',
  E_DIGEST_MISMATCH: 'bytes do not match their digest',
  E_ARTIFACT_INVALID: 'a wheel, .deb or tar is malformed or hostile',
  E_FILE_CONFLICT: 'two packages bring different files for one path',
  E_LIBRARY_MISSING: 'a shared object that something needs is not in the image',
  E_TRIM: 'the recipe trims something that the image needs',
  E_BYTECODE: 'the interpreter of the image could not compile bytecode',
  E_TOOL: 'a program that this needs is not on this machine, or failed',
  E_REGISTRY: 'a registry of images cannot be reached, or does not do what it should',
  E_REGISTRY_DENIED: 'a registry of images wants other credentials',
  E_CREDENTIALS: 'the credentials for a registry cannot be read',
  E_MEDIA_TYPE: 'an image is of a kind that cannot be read',
  E_REFRESH_KEPT: 'newer versions did not pass their tests, so that what served goes on serving',
  E_SCHEDULE: 'systemd could not be told of a schedule',
  E_DISK_FULL: 'no space is left on the device',
  E_STORE_NEWER: 'the store was written by a newer version',
  E_STORE_INVALID: 'the store is damaged',
  E_STORE_BUSY: 'others use the store, or an image of it, in a way that stops this',
  E_NOTHING_KNOWN: 'nothing in the image, and nothing that is known, has this name',
  E_GENERATION_NOT_FOUND: 'there is no such generation of an image',
  E_IMAGE_NOT_FOUND: 'there is no such image',
  E_ROOTFS_UNSAFE: 'the root filesystem cannot be entered safely',
  E_PROGRAM_NOT_FOUND: 'the program file does not exist',
  E_POLICY: 'the policy asks for something that does not exist or cannot be had',
  E_SANDBOX: 'the sandbox could not be set up, so nothing was run',
  E_VERIFY_FAILED: 'what is stored is not what was promised',
  E_LISTEN: 'the service cannot listen where it was told to',
  E_UNSAFE_LISTEN: 'the service would be open to others without a secret',
  E_REQUEST: 'a request to the service asks for something malformed, or for more than it allows',
  E_UNAUTHORIZED: 'a request to the service has no key, or a wrong one',
  E_TOO_LARGE: 'a request to the service is larger than it takes',
  E_BUSY: 'as many runs as the service takes are running and waiting',
  E_NOT_READY: 'the service has no image yet',
  E_DRAINING: 'the service is stopping and takes no more requests',
  E_IDEMPOTENCY: 'an `Idempotency-Key` was used for another request, or its answer could not be kept',
  E_SERVICE_UNREACHABLE: 'no service answers at the address that a client was given',
  E_SERVICE_LOST: 'the connection to a service ended before its answer; the program may have been run, or not',
  E_SERVICE_ANSWER: 'what answers at the address of a service is none, or one of another version',
  E_SERVICE_FAILED: 'a service could not do what it was asked for, by a fault of its own',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Where in a file the fault is; line and column count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One fault. `message` is "thing: what is wrong", lower-case, no full stop; `hint` is an action that can be typed. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly place?: SourcePlace | undefined;
}

export interface ErrorDetails {
  readonly hint?: string | undefined;
  readonly place?: SourcePlace | undefined;
  readonly cause?: unknown;
}

/** A fault that a user can cause or meet. Programming errors stay plain `Error`s and end with status 70. */
export class RootcellarError extends Error {
  override readonly name = 'RootcellarError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly place: SourcePlace | undefined;
  /** All problems found together; the error itself is the first of them. Never empty. */
  readonly problems: readonly Problem[];

  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails & { readonly problems?: readonly Problem[] } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.place = details.place;
    this.problems = details.problems ?? [{ code, message, hint: details.hint, place: details.place }];
  }

  /** One error for several problems of one input, each said once. `all` must not be empty. */
  static ofProblems(all: readonly Problem[]): RootcellarError {
    const problems = [...new Map(all.map((problem) => [JSON.stringify(problem), problem])).values()];
    const [first] = problems;
    if (first === undefined) throw new Error('unreachable: an error of no problems');
    return new RootcellarError(first.code, first.message, { hint: first.hint, place: first.place, problems });
  }
}

/** Whether `error` is a system error with this `errno` name, such as `ENOENT`. */
export function isErrno(error: unknown, name: string): boolean {
  return error instanceof Error && 'code' in error && error.code === name;
}
