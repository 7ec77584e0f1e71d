import { isDigest, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** Where an image is at a registry. */
export interface ImageReference {
  /** Host, in lower case, with its port if it has one; `docker.io` is Docker Hub. */
  readonly registry: string;
  /** Name of the image there, such as `team/python`. */
  readonly repository: string;
  /** `latest` where neither is said; undefined where the digest decides. */
  readonly tag: string | undefined;
  /** Of a manifest or an index. */
  readonly digest: Digest | undefined;
}

const REGISTRY = /^(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const LONGEST_REPOSITORY = 255;

/**
 * Reads `REGISTRY/NAME[:TAG][@DIGEST]`. The registry must be named: nobody should have to guess where an image goes.
 * Throws E_USAGE, without repeating what could be a password.
 * Source: OCI distribution specification 1.1, "Pulling manifests".
 */
export function parseReference(text: string): ImageReference {
  const shown = text.replace(/^([a-z]+:\/\/)?[^/]*@(?=[^/]*\/)/i, '$1…@').slice(0, 300);
  if (shown.includes('…@')) throw wrong(shown, 'has a user in it', 'docker login HOST, and leave the user out');
  const scheme = /^[a-z]+:\/\//i.exec(text)?.[0];
  if (scheme !== undefined) throw wrong(shown, 'is an address', `leave out ${scheme}`);
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash).toLowerCase();
  if (!/[.:]/.test(first) && first !== 'localhost') {
    throw wrong(shown, 'names no registry', `docker.io/${slash < 0 ? 'USER/' : ''}${shown}, or another host before it`);
  }
  if (!isHost(first)) throw wrong(shown, `\`${first}\` is no host`, 'write it as HOST/NAME:TAG');
  return { registry: registryOf(first), ...placeOf(text.slice(slash + 1), { shown, registry: first }) };
}

/** With a port that there is, and an address that is one. */
function isHost(text: string): boolean {
  return REGISTRY.test(text) && URL.canParse(`http://${text}`) && !/:0+$/.test(text);
}

/** As it is typed. */
export function referenceText({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Docker Hub has several names. */
function registryOf(host: string): string {
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

function placeOf(
  text: string,
  { shown, registry }: { readonly shown: string; readonly registry: string },
): Omit<ImageReference, 'registry'> {
  const [place = '', digest, ...more] = text.split('@');
  const colon = place.lastIndexOf(':');
  const name = colon < 0 ? place : place.slice(0, colon);
  const tag = colon < 0 ? undefined : place.slice(colon + 1);
  if (!REPOSITORY.test(name) || name.length > LONGEST_REPOSITORY) {
    const isCase = REPOSITORY.test(name.toLowerCase());
    const hint = isCase ? `${registry}/${name.toLowerCase()}` : 'write it as HOST/NAME:TAG';
    throw wrong(shown, `\`${name}\` is no name of an image${isCase ? ': it has capital letters' : ''}`, hint);
  }
  if (tag !== undefined && !TAG.test(tag)) throw wrong(shown, `\`${tag}\` is no tag`, 'write it as HOST/NAME:TAG');
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) {
    throw wrong(shown, 'has no digest behind its @', 'HOST/NAME@sha256:… with 64 digits');
  }
  const isHub = registryOf(registry) === 'docker.io' && !name.includes('/');
  const known = digest !== undefined && isDigest(digest) ? digest : undefined;
  const repository = isHub ? `library/${name}` : name;
  return { repository, tag: tag ?? (known === undefined ? 'latest' : undefined), digest: known };
}

function wrong(shown: string, fault: string, hint: string): RootcellarError {
  return new RootcellarError('E_USAGE', `\`${shown}\`: ${fault}`, { hint });
}
