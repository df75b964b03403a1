/** What an allowance holds a packet against, as nft writes it. */
import type { Protocol } from '../data-plane/plan.ts';
import type { AddressNumber, AddressSpan, Ends, Span } from '../data-plane/policy/plan.ts';
import { formatNumber } from '../data-plane/policy/spans.ts';
import type { Side } from './model.ts';
import type { FamilyWords } from './words.ts';

const LAST_PORT = 65_535;

export function addressWord(side: Side, { ip }: FamilyWords): string {
  return `${ip} ${side === 'source' ? 'saddr' : 'daddr'}`;
}

/** Empty for anyone. */
export function renderEnds(side: Side, ends: Ends, words: FamilyWords): string {
  switch (ends.are) {
    case 'anyone':
      return '';
    case 'group':
      return `${addressWord(side, words)} @${ends.group}`;
    case 'spans':
      return `${addressWord(side, words)} ${among(ends.spans, formatNumber)}`;
  }
}

/** Empty without a protocol. */
export function renderPorts(protocol: Protocol | undefined, ports: readonly Span[] = []): string {
  if (!protocol) return '';
  const word = protocol.toLowerCase();
  const isEvery = ports.length === 1 && ports[0]?.[0] === 0 && ports[0][1] === LAST_PORT;
  return isEvery ? `meta l4proto ${word}` : `${word} dport ${among(ports, String)}`;
}

function among(spans: readonly AddressSpan[], text: (value: AddressNumber) => string): string {
  const written = spans.map(([first, last]) => (first === last ? text(first) : `${text(first)}-${text(last)}`));
  return written.length === 1 ? (written[0] ?? '') : `{ ${written.join(', ')} }`;
}
