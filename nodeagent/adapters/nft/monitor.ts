/**
 * Reads `nft monitor`: a line for each change, and after the last one of a transaction `# new generation N by process
 * PID (NAME)`.
 */
import type { FilterDisturbance } from '../../ports/packet-filter.ts';

export interface MonitorSettings {
  readonly table: string;
  /** Every transaction of ours adds a rule to this chain: so ours are told from others'. */
  readonly generationChain: string;
}

/** Tables of ours. */
const FAMILIES = ['ip', 'ip6'] as const;
const OTHERS = /^(?:add|delete) (?:chain|table) (?:ip|inet) /;

/** A reader of lines that tells of each transaction that was not ours, when it is over. */
export function createMonitorReader(
  { table, generationChain }: MonitorSettings,
  tell: (disturbance: FilterDisturbance) => void,
): (line: string) => 'end of transaction' | undefined {
  const own = FAMILIES.map((family) => ` ${family} ${table}`);
  const marks = FAMILIES.map((family) => `add rule ${family} ${table} ${generationChain} `);
  let seen = { mine: false, ownTable: false, others: false };
  return (line) => {
    if (line.startsWith('# new generation')) {
      const { mine, ownTable, others } = seen;
      seen = { mine: false, ownTable: false, others: false };
      if (ownTable && !mine) tell('own-rules');
      if (others && !mine) tell('others');
      return 'end of transaction';
    }
    if (line.startsWith('# ERROR')) {
      // "We lost some netlink events!": anything may have changed, which a look tells.
      tell('others');
    } else if (marks.some((mark) => line.startsWith(mark))) seen.mine = true;
    else if (own.some((one) => isAbout(line, one))) seen.ownTable = true;
    else if (OTHERS.test(line)) seen.others = true;
    return undefined;
  };
}

/** `add rule ip plumbline ...`, `delete table ip plumbline`; not `add table ip plumbline2`. */
function isAbout(line: string, own: string): boolean {
  const at = line.indexOf(own);
  return at > 0 && at < 20 && [' ', undefined].includes(line[at + own.length]);
}
