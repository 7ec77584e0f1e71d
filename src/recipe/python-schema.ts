import { z } from 'zod';
import { byteOrder } from '../base/byte-order.ts';
import { isAddress } from './address-text.ts';
import { quotedValue } from './quoted-value.ts';
import { address, recipePath } from './recipe-paths.ts';
import { duration } from './recipe-quantities.ts';
import { debianPackage, leaf, word } from './recipe-values.ts';
import type { Parsed } from './recipe-values.ts';
import type { Cooldown } from './recipe.ts';
import { normalName } from './requirement-parts.ts';

/** `python` of a recipe; the files that it names are not read yet. */
export interface PythonDocument {
  readonly requirements: string;
  readonly indexUrl: string | undefined;
  readonly extraIndexUrls: readonly string[];
  readonly findLinks: readonly string[];
  readonly trustedHosts: readonly string[];
  /** Constraints files. */
  readonly constraints: readonly string[];
  readonly cooldown: Cooldown | undefined;
  readonly buildFromSource: readonly string[];
  readonly buildPackages: readonly string[];
  readonly preimport: readonly string[];
}

export function pythonSchema(): z.ZodType<PythonDocument> {
  return z
    .strictObject({
      requirements: recipePath('Requirements file, relative to the recipe.', 'python-requirements.txt'),
      index_url: address('Address of a package index; left out: the settings of uv or pip on this machine.').optional(),
      extra_index_urls: z.array(address('Address of a package index.')).min(1).optional().meta({
        description: 'Asked before `index_url`, in this order; the first that has a project is the only one.',
      }),
      find_links: z.array(findLinks()).min(1).optional().meta({ description: 'Where wheels lie besides indexes.' }),
      trusted_hosts: z
        .array(trustedHost())
        .min(1)
        .optional()
        .meta({ description: 'Hosts whose certificate is not checked.' }),
      constraints: z
        .union([z.array(constraintsFile()).min(1), constraintsFile()])
        .optional()
        .meta({ description: 'Files with version limits for packages that are needed anyway.' }),
      cooldown: z.union([cooldownMap(), age()]).optional().meta({ description: 'Take no file younger than this.' }),
      build_from_source: z
        .array(projectName('Name of a package that is built from source, in a cell without a network.'))
        .min(1)
        .optional()
        .meta({ description: 'Packages that are built from source instead of taken as wheels.' }),
      build_packages: z
        .array(debianPackage())
        .min(1)
        .optional()
        .meta({ description: 'Debian packages that building needs; they do not get into the image.' }),
      preimport: z.array(moduleName()).min(1).max(MOST_PREIMPORTS).optional().meta({
        description:
          'Modules that the service imports before there is a run; a run begins with the first of them up to the last that it needs.',
      }),
    })
    .transform((python): PythonDocument => ({
      requirements: python.requirements,
      indexUrl: python.index_url,
      extraIndexUrls: python.extra_index_urls ?? [],
      findLinks: python.find_links ?? [],
      trustedHosts: python.trusted_hosts ?? [],
      constraints: typeof python.constraints === 'string' ? [python.constraints] : (python.constraints ?? []),
      buildFromSource: inByteOrder((python.build_from_source ?? []).map(normalName)),
      buildPackages: inByteOrder(python.build_packages ?? []),
      preimport: [...new Set(python.preimport)],
      cooldown: typeof python.cooldown === 'number' ? { ms: python.cooldown, except: [] } : python.cooldown,
    }));
}

/** Each makes another set of waiting cells. */
const MOST_PREIMPORTS = 8;

function moduleName(): z.ZodType<string> {
  return word({
    pattern: /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/,
    example: 'numpy',
    expected: 'the name of a module, such as `numpy`',
    description: 'Name of a module of Python.',
  });
}

function constraintsFile(): z.ZodType<string> {
  return recipePath('Constraints file, relative to the recipe.', 'constraints.txt');
}

const MINUTE_MS = 60_000;
const YEAR_MS = 366 * 86_400_000;

function age(): z.ZodType<number> {
  return duration({ least: MINUTE_MS, most: 10 * YEAR_MS, example: '7d', description: 'Age, such as `7d`.' });
}

function cooldownMap(): z.ZodType<Cooldown> {
  return z
    .strictObject({
      default: age(),
      except: z.array(projectName('Name of a package that may be younger, such as for a security fix.')).optional(),
    })
    .transform(({ default: ms, except }): Cooldown => {
      return { ms, except: [...new Set((except ?? []).map(normalName))].toSorted(byteOrder) };
    });
}

function inByteOrder(words: readonly string[]): readonly string[] {
  return words.toSorted(byteOrder);
}

function projectName(description: string): z.ZodType<string> {
  return word({
    pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/,
    expected: 'the name of a Python package',
    example: 'certifi',
    description,
  });
}

export const HOST_PATTERN: RegExp = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::\d{1,5})?$/;

function trustedHost(): z.ZodType<string> {
  return word({
    pattern: HOST_PATTERN,
    expected: 'a host, with or without a port',
    example: 'packages.example:8443',
    description: 'Host whose certificate is not checked.',
  });
}

function findLinks(): z.ZodType<string> {
  return leaf(parseFindLinks, { type: 'string', minLength: 1, description: 'Folder below the recipe, or an address.' });
}

function parseFindLinks(input: unknown): Parsed<string> {
  const place = typeof input === 'string' ? readFindLinks(input) : undefined;
  if (place !== undefined) return { value: place };
  return {
    fault: `must be a folder below the recipe, or the address of a page or folder, got ${quotedValue(input)}`,
    hint: 'write for example `wheels`',
  };
}

/** An address, or a path relative to the recipe without `..`; an absolute path becomes a `file:` address. */
export function readFindLinks(text: string): string | undefined {
  if (isAddress(text)) return text;
  if (text === '' || text.length > 2048 || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined;
  if (/[\\~\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) return undefined;
  const names = text
    .replace(/^file:/i, '')
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) return undefined;
  if (!text.replace(/^file:/i, '').startsWith('/')) return names.join('/') || '.';
  return `file:///${names.map(encodeURIComponent).join('/')}`;
}
