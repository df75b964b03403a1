/**
 * What a commit's message says of objects that it takes away on purpose: a trailer, as in git-interpret-trailers(1), so
 * that a review, the push hook, an offline plan and the history all have it.
 */
import { displayKey, findKind, isCustomKey, KINDS, objectKey, type AnyKey } from '../../../contracts/objects/index.ts';
import type { Diagnostic } from '../manifests/types.ts';

const PRUNE_TRAILER = 'Plumbline-Allow-Prune';
/** Of one push. Whoever has more to say says `all`. */
const MOST_WORDS = 1000;

/** Why a plan may not be carried out. */
export interface Refusal extends Diagnostic {
  /** What the trailer has to say for it to be carried out all the same; absent where nothing helps. */
  readonly acknowledge?: string;
}

/** The line for a commit's message. */
export function trailerFor(acknowledge: string): string {
  return `${PRUNE_TRAILER}: ${acknowledge}`;
}

/** How an object is acknowledged: as it is shown to people. */
export function acknowledgeObject(key: AnyKey): string {
  return displayKey(key);
}

/**
 * The refusals that stand after what the commits' messages acknowledge. A trailer has objects (`namespace/shop`,
 * `pvc/shop/data`; without a namespace, in `default`), a number of objects, or `all`; several are separated by commas.
 * The line counts wherever it stands in a message: a forge that squashes commits puts it in the middle.
 */
export function unacknowledged<R extends Refusal>(refusals: readonly R[], messages: readonly string[]): readonly R[] {
  const words = messages.flatMap(trailerWords).slice(0, MOST_WORDS);
  if (words.includes('all')) return refusals.filter(({ acknowledge }) => acknowledge === undefined);
  const objects = new Set(words.map(canonical));
  const most = Math.max(0, ...words.filter(isNumber).map(Number));
  return refusals.filter(
    ({ acknowledge }) =>
      acknowledge === undefined || !(isNumber(acknowledge) ? Number(acknowledge) <= most : objects.has(acknowledge)),
  );
}

function trailerWords(message: string): string[] {
  const prefix = `${PRUNE_TRAILER.toLowerCase()}:`;
  return message
    .split('\n')
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .flatMap((line) => line.slice(prefix.length).split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function isNumber(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

/** The word as {@link acknowledgeObject} has it; as it is where it names no object of a kind that is known. */
function canonical(word: string): string {
  const [kindWord = '', ...names] = word.split('/');
  const kind = findKind(kindWord);
  if (!kind || names.length === 0 || names.length > 2 || isCustomKey(word)) return word;
  const [first = '', second] = names;
  if (!KINDS[kind].namespaced) return displayKey(objectKey(kind, undefined, second ?? first));
  return displayKey(second === undefined ? objectKey(kind, 'default', first) : objectKey(kind, first, second));
}
