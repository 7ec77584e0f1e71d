import { z } from 'zod';

/**
 * The Python program that an interpreter is asked with. It imports nothing outside of the standard library and changes
 * nothing. Written so that every Python 3 can at least start it.
 */
export const HOST_QUESTION = `
import json, site, sys, sysconfig

def folders():
    try:
        return site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])
    except Exception:
        return []

json.dump({
    'executable': sys.executable,
    'implementation': sys.implementation.name,
    'version': list(sys.version_info),
    'abiflags': getattr(sys, 'abiflags', ''),
    'prefix': sys.base_prefix,
    'stdlib': sysconfig.get_path('stdlib'),
    'platstdlib': sysconfig.get_path('platstdlib'),
    'purelib': sysconfig.get_path('purelib'),
    'data': sysconfig.get_path('data'),
    'path': sys.path,
    'site': folders(),
    'json': json.__file__,
}, sys.stdout)
`;

const path = z
  .string()
  .max(4095)
  .regex(/^\/[^\0]*$/);

const answer: z.ZodType<HostAnswer> = z.object({
  executable: path,
  implementation: z.string().max(64),
  version: z.tuple([z.int(), z.int(), z.int(), z.string().max(16), z.int()]),
  abiflags: z.string().max(16),
  prefix: path,
  stdlib: path,
  platstdlib: path,
  purelib: path,
  data: path,
  path: z.array(z.string().max(4095)).max(256),
  site: z.array(path).max(64),
  json: path,
});

/** What an interpreter says of itself, each in its own words. */
export interface HostAnswer {
  readonly executable: string;
  readonly implementation: string;
  /** As `sys.version_info`. */
  readonly version: readonly [number, number, number, string, number];
  readonly abiflags: string;
  readonly prefix: string;
  readonly stdlib: string;
  readonly platstdlib: string;
  readonly purelib: string;
  readonly data: string;
  readonly path: readonly string[];
  readonly site: readonly string[];
  readonly json: string;
}

/** The answer to `HOST_QUESTION`; undefined for anything else, whatever it is. Paths in it are absolute, and not looked at. */
export function parseHostAnswer(text: string): HostAnswer | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return answer.safeParse(parsed).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
