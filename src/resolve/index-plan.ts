import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { fillAddress, placeIdentity } from '../recipe/address-text.ts';
import type { PythonRequirements } from '../recipe/recipe.ts';
import { isSet } from './index-settings.ts';
import type { MachineIndexes } from './python-index.ts';
import { defaultIndex } from './python-index.ts';
import type { ResolverSettings } from './resolver-settings.ts';

/** Where packages are looked for, best first. */
export interface IndexPlan {
  readonly indexes: readonly IndexSource[];
  readonly links: readonly LinkSource[];
  readonly trustedHosts: readonly string[];
}

export interface IndexSource {
  /** Of a simple API, without a slash at the end; may carry credentials. */
  readonly address: string;
  /** How messages name it: where it is set, not where it is. */
  readonly label: string;
}

/** A page or folder with links to files of any projects. */
export interface LinkSource {
  /** `http:`, `https:` or `file:`; may carry credentials. */
  readonly address: string;
  /** As the lockfile names it. */
  readonly identity: string;
  readonly label: string;
}

export interface IndexQuestion {
  readonly machine: MachineIndexes;
  readonly settings: ResolverSettings;
  /** Of the recipe, absolute. */
  readonly folder: string;
  /** Gives the help text of a pip that is not on PATH. */
  readonly lastResort?: (() => Promise<string>) | undefined;
}

type IndexKeys = Pick<PythonRequirements, 'indexUrl' | 'extraIndexUrls' | 'findLinks' | 'trustedHosts' | 'noIndex'>;

/**
 * The recipe's indexes; what it leaves out, uv's or pip's settings of this machine say, else the default that one of them
 * names. Whichever tool resolves, the answer is the same. Throws E_INDEX_UNKNOWN, and E_INDEX_DENIED for variables that are
 * not set.
 */
export async function indexPlan(python: IndexKeys, question: IndexQuestion): Promise<IndexPlan> {
  const { settings, machine, folder } = question;
  const links = (python.findLinks ?? []).map((place) => {
    const isPath = placeIdentity(place) === place;
    const address = isPath ? pathToFileURL(join(folder, place)).href : filled(place, settings);
    return { address, identity: placeIdentity(place), label: isPath ? `\`${place}\`` : '`find_links`' };
  });
  const trustedHosts = [...(python.trustedHosts ?? []), ...machine.trustedHosts];
  if (python.noIndex === true) return { indexes: [], links, trustedHosts };
  const indexes = [...extraIndexes(python, question), ...(await mainIndex(python, question, links.length > 0))];
  const seen = new Set<string>();
  const unique = indexes.filter(({ address }) => seen.size !== seen.add(address).size);
  return { indexes: unique, links, trustedHosts };
}

function extraIndexes(python: IndexKeys, { machine, settings }: IndexQuestion): readonly IndexSource[] {
  const own = python.extraIndexUrls ?? [];
  if (own.length > 0) {
    return own.map((text, index) => ({
      address: trimmed(filled(text, settings)),
      label: own.length === 1 ? '`extra_index_urls`' : `\`extra_index_urls\`, number ${index + 1}`,
    }));
  }
  // Whoever names an index wants no other to be asked before it.
  if (python.indexUrl !== undefined) return [];
  const { extra } = machineIndexes(machine);
  return extra.map((address, index) => ({
    address: trimmed(address),
    label: extra.length === 1 ? "this machine's extra index" : `this machine's extra index ${index + 1}`,
  }));
}

async function mainIndex(
  python: IndexKeys,
  { machine, settings, lastResort }: IndexQuestion,
  hasLinks: boolean,
): Promise<readonly IndexSource[]> {
  if (python.indexUrl !== undefined) {
    return [{ address: trimmed(filled(python.indexUrl, settings)), label: '`index_url`' }];
  }
  const { main, extra } = machineIndexes(machine);
  if (main !== undefined) return [{ address: trimmed(main), label: "this machine's index" }];
  const usual = await defaultIndex(settings, lastResort);
  if (usual !== undefined) return [{ address: trimmed(usual), label: 'the default index' }];
  if (extra.length > 0 || hasLinks || (python.extraIndexUrls ?? []).length > 0) return [];
  throw new RootcellarError('E_INDEX_UNKNOWN', 'python packages: no package index is known on this machine', {
    hint: 'set `python.index_url` in the recipe, or PIP_INDEX_URL, or install uv',
  });
}

/** uv's settings where there are any, else pip's. */
function machineIndexes({ uv, pip }: MachineIndexes): {
  readonly main: string | undefined;
  readonly extra: readonly string[];
} {
  return isSet(uv) ? uv : pip;
}

/** An address with the variables that it names. */
export function filled(address: string, { environment }: ResolverSettings): string {
  const { text, missing } = fillAddress(address, environment);
  const [name] = missing;
  if (name === undefined) return text;
  throw new RootcellarError('E_INDEX_DENIED', `an address of the recipe: the variable ${name} is not set`, {
    hint: `export ${name}=…`,
  });
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, '');
}
