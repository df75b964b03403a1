/**
 * Reads `nft monitor`: a line for each change, and after the last one of a transaction `# new generation N by process
 * PID (NAME)`.
 */
import type { FilterDisturbance } from '../../ports/packet-filter.ts';

export interface MonitorSettings {
  readonly table: string;
  /** Every transaction of ours adds a rule to this chain: so ours are told from others'. */
  readonly generationChain: string;
  readonly beside?: BesideTable | undefined;
}

/** Chains of ours in a table of others: `ip nat`, and `ip6 nat`. */
export interface BesideTable {
  readonly table: string;
  /** What the names of our chains, and of nobody else's, begin with. */
  readonly prefix: string;
  readonly generationChain: string;
}

/** Tables of ours. */
const FAMILIES = ['ip', 'ip6'] as const;
const OTHERS = /^(?:add|delete) (?:chain|table) (?:ip|inet) /;

/** A reader of lines that tells of each transaction that was not ours, when it is over. */
export function createMonitorReader(
  { table, generationChain, beside }: MonitorSettings,
  tell: (disturbance: FilterDisturbance) => void,
): (line: string) => 'end of transaction' | undefined {
  const own = FAMILIES.map((family) => ` ${family} ${table}`);
  // Of the mark's own chain nothing is told: it goes last where all of it is taken away.
  const isBeside = (line: string): boolean =>
    beside !== undefined &&
    FAMILIES.some((family) => isAt(line.indexOf(` ${family} ${beside.table} ${beside.prefix}`))) &&
    !line.includes(` ${beside.table} ${beside.generationChain}`);
  const marks = FAMILIES.flatMap((family) => [
    `add rule ${family} ${table} ${generationChain} `,
    ...(beside ? [`add rule ${family} ${beside.table} ${beside.generationChain} `] : []),
  ]);
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
    else if (own.some((one) => isAbout(line, one)) || isBeside(line)) seen.ownTable = true;
    else if (OTHERS.test(line)) seen.others = true;
    return undefined;
  };
}

/** `add rule ip plumbline ...`, `delete table ip plumbline`; not `add table ip plumbline2`. */
function isAbout(line: string, own: string): boolean {
  const at = line.indexOf(own);
  return isAt(at) && [' ', undefined].includes(line[at + own.length]);
}

/** Where the words stand that say what a line is about. */
function isAt(index: number): boolean {
  return index > 0 && index < 20;
}
