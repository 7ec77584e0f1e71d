import type { z } from 'zod';
import { parseImagePath } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import { mustBe, quotedValue } from './quoted-value.ts';
import { leaf } from './recipe-values.ts';
import type { Parsed } from './recipe-values.ts';

/** The path of a file in the recipe's folder, as written. E_RECIPE_PATH when its text leads out. */
export function recipePath(description: string, example: string): z.ZodType<string> {
  const parse = (input: unknown): Parsed<string> => {
    if (typeof input !== 'string' || input === '') {
      return {
        fault: mustBe('the path of a file in the folder of the recipe', input),
        hint: `write for example \`${example}\``,
      };
    }
    const inside = parseImagePath(input);
    if (inside === undefined || inside === '' || input.startsWith('/') || hasControl(input)) {
      const fault = `leaves the folder of the recipe: ${quotedValue(input)}`;
      return {
        fault,
        code: 'E_RECIPE_PATH',
        hint: `copy the file beside the recipe and write for example \`${example}\``,
      };
    }
    return input.endsWith('/')
      ? { fault: mustBe('a file, not a folder', input), hint: 'name a file' }
      : { value: inside };
  };
  return leaf(parse, { type: 'string', minLength: 1, description });
}

/** Top folders of an image that a cell covers with its own, and the one that rootcellar itself writes. */
const RESERVED = new Set(['proc', 'sys', 'dev', 'tmp', '.rootcellar']);

/** An absolute path in the image. */
export function imagePath(): z.ZodType<ImagePath> {
  const example = '/etc/nsswitch.conf';
  const parse = (input: unknown): Parsed<ImagePath> => {
    const path = typeof input === 'string' && !hasControl(input) ? parseImagePath(input) : undefined;
    if (path === undefined || path === '' || input !== `/${path}`) {
      return {
        fault: 'must be the absolute path of a file in the image, without `..`, `.` and doubled slashes',
        hint: `write for example \`${example}\``,
      };
    }
    const top = path.split('/')[0] ?? '';
    if (!RESERVED.has(top)) return { value: path };
    return {
      fault: `cannot be in \`/${top}\`: a run would not see it`,
      hint: 'choose another folder, such as `/etc` or `/opt`',
    };
  };
  return leaf(parse, { type: 'string', pattern: '^/.+[^/]$', description: 'Absolute path in the image.' });
}

/** Permission bits as octal text; gives the number. */
export function fileMode(): z.ZodType<number> {
  const description = 'Permissions in octal, in quotes; 0644 when left out.';
  return leaf(parseMode, { type: 'string', pattern: '^0?[0-7]{3}$', description });
}

function parseMode(input: unknown): Parsed<number> {
  if (typeof input === 'string' && /^0?[0-7]{3}$/.test(input)) return { value: Number.parseInt(input, 8) };
  const digits = /^[0-7]{3}$/.test(String(input)) ? `"0${String(input)}"` : '"0644"';
  return { fault: mustBe('permissions as octal digits in quotes', input), hint: `write \`${digits}\`` };
}

/** An address of an index or archive. It may hold a password, so that no error text repeats it. */
export function address(description: string): z.ZodType<string> {
  return leaf(parseAddress, { type: 'string', pattern: '^(https?|file)://', description });
}

function parseAddress(input: unknown): Parsed<string> {
  const text =
    typeof input === 'string' && input.length <= 2048 && /^(?:https?|file):\/\/[\u0021-\u007e]+$/.test(input)
      ? input
      : '';
  if (URL.canParse(text) && !text.includes('#')) return { value: text };
  return {
    fault: 'must be an address that starts with `https://`, `http://` or `file://`',
    hint: 'remove it to use the settings of this machine',
  };
}

function hasControl(text: string): boolean {
  return /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
