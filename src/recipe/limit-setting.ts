import { closestWord } from '../base/closest-word.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { limitsSchema } from './recipe-schema.ts';
import type { Limits } from './recipe.ts';

/** What the limits are called in recipes, on the command line and in requests. */
export type LimitName = 'memory' | 'processes' | 'cpu' | 'wall' | 'output' | 'tmp' | 'open_files';

export const LIMIT_FIELDS: Readonly<Record<LimitName, keyof Limits>> = {
  memory: 'memoryBytes',
  processes: 'processes',
  cpu: 'cpuMs',
  wall: 'wallMs',
  output: 'outputBytes',
  tmp: 'tmpBytes',
  open_files: 'openFiles',
};

const EXAMPLES: Readonly<Record<LimitName, string>> = {
  memory: '256MiB',
  processes: '32',
  cpu: '5s',
  wall: '10s',
  output: '1MiB',
  tmp: '64MiB',
  open_files: '256',
};

/**
 * One limit as it is given on a command line, such as `wall=2s`: what follows `=` is what a recipe would have.
 * Throws E_USAGE for another name, or a value that a recipe could not have.
 */
export function parseLimitSetting(text: string): Partial<Limits> {
  const [, name = '', value = ''] = /^([a-z_]+)=(.*)$/s.exec(text) ?? [];
  if (!isLimitName(name)) {
    const near = closestWord(name, Object.keys(LIMIT_FIELDS));
    const hint =
      near === undefined ? `use one of ${Object.keys(LIMIT_FIELDS).join(', ')}` : `did you mean \`${near}=…\`?`;
    throw new RootcellarError('E_USAGE', `limit \`${text}\`: is not \`name=value\` with the name of a limit`, { hint });
  }
  const parsed = limitsSchema().safeParse({ [name]: /^\d+$/.test(value) ? Number(value) : value });
  if (parsed.success) return { [LIMIT_FIELDS[name]]: parsed.data[LIMIT_FIELDS[name]] };
  const fault = parsed.error.issues[0]?.message ?? 'is not a limit';
  throw new RootcellarError('E_USAGE', `limit \`${name}\`: ${fault}`, {
    hint: `write for example \`--limit ${name}=${EXAMPLES[name]}\``,
  });
}

function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMIT_FIELDS, name);
}
