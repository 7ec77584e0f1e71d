import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf, type Digest } from '../base/digest.ts';
import { sealed, unsealed } from '../base/sealed-text.ts';
import type { AptRoot } from './apt-root.ts';
import type { DebianRequest, DebianResolution } from './debian-resolver.ts';

/** To be raised when apt is configured otherwise, or what it says is read otherwise. */
const VERSION = 1;
const MOST_KEPT = 16;
const KEPT = 'chosen.json';

interface Chosen {
  readonly question: Digest;
  readonly resolution: DebianResolution;
}

/**
 * What `choose` gives; without choosing, where that was asked before of the same signed indexes. An index is a part of its
 * signed file, by digest, and was compared with it then: so neither apt has to look at 60,000 packages again, nor do we have to
 * hash them. The signature is checked each time, when apt updates. What is kept is a convenience: damaged or missing, it is
 * passed over.
 */
export async function chosenBefore(
  root: AptRoot,
  request: DebianRequest,
  choose: () => Promise<DebianResolution>,
): Promise<DebianResolution> {
  const question = await questionOf(root, request);
  const known = chosenFrom(await root.keptText(KEPT));
  const before = known.find((one) => one.question === question);
  if (before !== undefined) return before.resolution;
  const resolution = await choose();
  const kept = [{ question, resolution }, ...known].slice(0, MOST_KEPT);
  await root.keepText(KEPT, sealed(JSON.stringify(kept)));
  return resolution;
}

/** Sources and architecture are not in it: what is kept is kept for them. */
async function questionOf(root: AptRoot, { packages, pins, suite }: DebianRequest): Promise<Digest> {
  const [locked, peer] = [Object.fromEntries(pins.locked), Object.fromEntries(pins.peer)];
  const knowledge = await root.knowledge();
  return digestOf(canonicalJson({ version: VERSION, knowledge, suite, packages, locked, peer }));
}

/** That they are what they seem to be follows from who wrote them. */
function chosenFrom(text: string | undefined): readonly Chosen[] {
  const body = unsealed(text ?? '');
  return body === undefined ? [] : JSON.parse(body);
}
