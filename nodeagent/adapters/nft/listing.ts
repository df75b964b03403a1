/** Reads nft's text listings: blocks indented by tabs, one rule or attribute a line. */

const CHAIN = /^\tchain (\S+) \{$/;
const BLOCK_END = '\t}';
const ATTRIBUTE = /^(?:type (?:filter|nat|route) hook |comment ")/;

export interface TableSurvey {
  readonly generation: string | undefined;
  /** Number of rules of each chain. */
  readonly rules: ReadonlyMap<string, number>;
}

/** Rules per chain, and the generation that its chain carries; that and the anchor are no chains of the ruleset. */
export function surveyListing(listing: string, generationChain: string, anchorChain: string): TableSurvey {
  const rules = new Map<string, number>();
  let generation: string | undefined;
  for (const { name, lines } of chainsOf(listing.split('\n'))) {
    const list = lines.filter((line) => !ATTRIBUTE.test(line));
    if (name === generationChain) generation = /comment "([^"]*)"/.exec(list[0] ?? '')?.[1];
    else if (name !== anchorChain) rules.set(name, list.length);
  }
  return { generation, rules };
}

export function* chainsOf(
  lines: readonly string[],
): Generator<{ readonly name: string; readonly lines: readonly string[] }> {
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
