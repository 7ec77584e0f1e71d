import { z } from 'zod';
import { ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { word } from './recipe-values.ts';
import type { SharedObjects } from './recipe.ts';

type Wanted = Readonly<Partial<Record<Architecture, string>>>;

/** Sonames for every architecture, and maps that have one for some. */
export function sharedObjectsSchema(): z.ZodType<SharedObjects> {
  const one = z
    .strictObject({ amd64: soname().optional(), arm64: soname().optional() })
    .refine((names) => Object.values(names).some((name) => name !== undefined), {
      error: 'must have a soname for an architecture',
    });
  const everywhere = soname().transform((name): Wanted => ({ amd64: name, arm64: name }));
  return z
    .array(z.union([one, everywhere]))
    .min(1)
    .meta({ description: 'Libraries that the image shall have, by soname, with all that they need.' })
    .transform((wanted) => {
      const names = (architecture: Architecture): readonly string[] =>
        [...new Set(wanted.flatMap((each) => each[architecture] ?? []))].toSorted(byteOrder);
      return Object.fromEntries(
        ARCHITECTURES.flatMap((architecture) => {
          return names(architecture).length === 0 ? [] : [[architecture, names(architecture)]];
        }),
      );
    });
}

/** The soname of a library; ldconfig knows no others. */
export const SONAME: RegExp = /^(?=.*\.so(?:\.|$))[A-Za-z0-9_][A-Za-z0-9._+-]{0,250}$/;

function soname(): z.ZodType<string> {
  return word({
    pattern: SONAME,
    expected: 'the soname of a library, without folders',
    example: 'libssl.so.3',
    description: 'Soname of a library.',
  });
}

/** The name of a library, or a pattern of such names. */
export function libraryPattern(): z.ZodType<string> {
  return word({
    pattern: /^(?=.*[A-Za-z0-9])[A-Za-z0-9_/*?][A-Za-z0-9._+/*?-]{0,250}$/,
    expected: 'the name of a library, in which `*` is any text and `?` any character',
    example: 'libcuda.so.*',
    description: 'Name of a library that may be missing, or a pattern.',
  });
}
