import { z } from 'zod';
import { readAllowedHost } from '../recipe/network-schema.ts';
import { limitsSchema } from '../recipe/recipe-schema.ts';
import { leaf } from '../recipe/recipe-values.ts';
import type { Limits } from '../recipe/recipe.ts';
import type { FileContent, RunBody, TextOrBytes } from './run-body.ts';

/** A checked `RunBody`. `limits` has a value for each, whether it was given or not. */
export type CheckedBody = Omit<RunBody, 'limits'> & { readonly limits?: Limits | undefined };

const MOST_ARGUMENTS = 1000;
const MOST_OUTPUTS = 64;
const LONGEST_PATH = 4095;

/** The one definition of what may be sent to `/v1/run`, for checking and for the OpenAPI document. */
export function runBodySchema(): z.ZodType<CheckedBody> {
  return z.strictObject({
    language: z.enum(['python3', 'nodejs']).optional().describe('Left out: by the ending of `main`, else Python.'),
    code: z.string().min(1).optional().describe('Program text; else `main` says which file is the program.'),
    main: path().optional().describe('A path of `files`; what lies beside it can be imported.'),
    files: z
      .record(path(), fileContent())
      .optional()
      .describe('By path in the working directory, which is /tmp. A string is the text of a file.'),
    stdin: textOrBytes().optional(),
    args: z.array(noNul()).max(MOST_ARGUMENTS).optional(),
    env: z.record(z.string(), noNul()).optional().describe('Variables for the program.'),
    limits: limitsSchema().optional().describe('As in recipes, up to what the service allows.'),
    network: network().optional(),
    outputs: z.array(path()).max(MOST_OUTPUTS).optional().describe('Files and folders to return.'),
    stream: z.boolean().optional().describe('Whether to answer with server-sent events.'),
    image: z.string().min(1).max(255).optional().describe('Name or digest; another image than is served is refused.'),
  });
}

function path(): z.ZodType<string> {
  return z.string().min(1).max(LONGEST_PATH);
}

/** What a program is started with ends at the first NUL: execve(2). */
function noNul(): z.ZodType<string> {
  return z.string().regex(/^[^\0]*$/, 'has a NUL character in it');
}

function base64(): z.ZodType<string> {
  return z.base64('is no base64');
}

function textOrBytes(): z.ZodType<TextOrBytes> {
  return z.union([z.string(), z.strictObject({ base64: base64() })]);
}

function fileContent(): z.ZodType<FileContent> {
  const executable = z.boolean().optional();
  return z.union([
    z.string(),
    z.strictObject({ text: z.string(), executable }),
    z.strictObject({ base64: base64(), executable }),
  ]);
}

function network(): z.ZodType<NonNullable<RunBody['network']>> {
  const host = leaf(readAllowedHost, {
    type: 'string',
    minLength: 1,
    description: 'HOST, HOST:PORT, *.HOST or an address.',
  });
  return z
    .union([z.enum(['none', 'host']), z.strictObject({ proxy: z.strictObject({ allow: z.array(host).min(1) }) })])
    .describe('What the run may reach; left out: what the image’s recipe says.');
}
