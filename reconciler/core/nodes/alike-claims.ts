/**
 * What all nodes hold alike, as it was told. A part that many nodes name is read once, and counts as often as it is named:
 * what nodes say of each other costs what differs, not the square of their number.
 */
import { AlikeClaim, partOf, type AlikeKind } from '../../../contracts/agent/index.ts';
import type { Paced } from '../paced.ts';
import type { AlikePart, NodeWord } from './node-word.ts';

/**
 * Reads a part's lines. What cannot be read, or belongs into another part, is left out; of two claims of one object the
 * last one counts: so a node that names a part has one vote on each object in it, and none on another.
 */
export function* readPart(part: number, lines: readonly string[]): Paced<AlikePart> {
  const claims = new Map<string, AlikeClaim>();
  for (const line of lines) {
    yield;
    const claim = claimOf(line);
    if (claim && partOf(claim.kind, claim.metadata) === part) claims.set(subjectOf(claim), claim);
  }
  return [...claims.values()];
}

function claimOf(line: string): AlikeClaim | undefined {
  try {
    return AlikeClaim.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Each claim of the kind, with how many nodes make it. A node makes one of an object. */
export function* eachSaid<K extends AlikeKind>(
  words: readonly NodeWord[],
  kind: K,
  say: (claim: Extract<AlikeClaim, { readonly kind: K }>, nodes: number) => void,
): Paced<void> {
  const isOfKind = (claim: { readonly kind: string }): claim is Extract<AlikeClaim, { readonly kind: K }> =>
    claim.kind === kind;
  const named = new Map<AlikePart, number>();
  for (const { claims, alike } of words) {
    yield;
    for (const part of alike ?? []) named.set(part, (named.get(part) ?? 0) + 1);
    // Agents of before tell each object.
    if (alike) continue;
    const own = claims.filter(isOfKind);
    for (const claim of new Map(own.map((one) => [subjectOf(one), one])).values()) say(claim, 1);
  }
  for (const [part, nodes] of named) {
    yield;
    for (const claim of part) if (isOfKind(claim)) say(claim, nodes);
  }
}

function subjectOf({ kind, metadata }: AlikeClaim): string {
  // Of which there are as many as nodes, from each node of before: no text is made for each.
  if (kind === 'Node') return metadata.name;
  return `${kind} ${kind === 'Service' ? `${metadata.namespace}/` : ''}${metadata.name}`;
}
