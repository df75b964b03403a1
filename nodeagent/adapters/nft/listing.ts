/** Reads nft's text listings: blocks indented by tabs, one rule or attribute a line. */
import type { Flow } from '../../core/nftables/model.ts';
import type { FilterSurvey } from '../../ports/packet-filter.ts';

const CHAIN = /^\tchain (\S+) \{$/;
const BLOCK_END = '\t}';
const ATTRIBUTE = /^(?:type (?:filter|nat|route) hook |comment ")/;

/** Rules per chain, and the generation that its chain carries; that and the anchor are no chains of the ruleset. */
export function surveyListing(listing: string, generationChain: string, anchorChain: string): FilterSurvey {
  const rules = new Map<string, number>();
  let generation: string | undefined;
  for (const { name, lines } of chainsOf(listing.split('\n'))) {
    const list = lines.filter((line) => !ATTRIBUTE.test(line));
    if (name === generationChain) generation = /comment "([^"]*)"/.exec(list[0] ?? '')?.[1];
    else if (name !== anchorChain) rules.set(name, list.length);
  }
  return { generation, rules };
}

function* chainsOf(lines: readonly string[]): Generator<{ readonly name: string; readonly lines: readonly string[] }> {
  let open: { name: string; lines: string[] } | undefined;
  for (const line of lines) {
    const name = CHAIN.exec(line)?.[1];
    if (name !== undefined) open = { name, lines: [] };
    else if (open && line === BLOCK_END) {
      yield open;
      open = undefined;
    } else if (open) open.lines.push(line.trim());
  }
}

export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}

/**
 * From `nft list chains`: base chains on the forward hook with policy drop, in tables other than `own`. Docker sets
 * such a policy.
 */
export function findForwardDrops(
  listing: string,
  own: { readonly family: string; readonly table: string },
): ForeignChain[] {
  const found: ForeignChain[] = [];
  for (const block of listing.split(/^(?=table )/m)) {
    const [, family, table] = /^table (\S+) (\S+) \{/.exec(block) ?? [];
    if (family === undefined || table === undefined || (family === own.family && table === own.table)) continue;
    if (!['ip', 'inet'].includes(family)) continue;
    for (const { name, lines } of chainsOf(block.split('\n'))) {
      if (lines.some((line) => /^type filter hook forward .*policy drop;/.test(line)))
        found.push({ family, table, name });
    }
  }
  return found;
}

/** From `conntrack -L`: each line has the client's direction (src, dst, sport, dport) and then the answers'. */
export function parseFlows(protocol: Flow['protocol'], listing: string): Flow[] {
  return listing.split('\n').flatMap((line) => {
    const destinations = [...line.matchAll(/\bdst=(\S+)/g)].map((m) => m[1]);
    const sources = [...line.matchAll(/\bsrc=(\S+)/g)].map((m) => m[1]);
    const port = Number(/\bdport=(\d+)/.exec(line)?.[1]);
    const [address, endpoint] = [destinations[0], sources[1]];
    return address === undefined || endpoint === undefined || Number.isNaN(port)
      ? []
      : [{ protocol, address, port, endpoint }];
  });
}
