/**
 * How much the proxies are given to do. Rules of a wide host name are repeated in all narrower ones of its listener, so a
 * few routes could make more than any proxy, or the store, can hold; and each regular expression of a host may be tried for
 * each of its requests. What is over is told, and all that came before it goes on.
 */
import type { GrpcRule, HttpRule, ProxyRule, StoredRoute } from '../../../contracts/objects/index.ts';
import { coveringNames } from './hostnames.ts';

/** Characters of all rules, as a ProxyConfig has them; Ingresses have as many once more. */
export const MOST_RULES_LENGTH = 4 * 2 ** 20;
/** Regular expressions that are written for one host name of one listener. */
export const MOST_PATTERNS = 100;
/** What a rule has beside what people write: its origin, and names of backends. */
const RULE_LENGTH = 200;

export interface Demand {
  /** Characters of the rules. */
  readonly length: number;
  readonly patterns: number;
}

/** A host name, at what shares host names: a listener, or the Ingresses. */
export interface Place {
  readonly at: object;
  readonly hostname: string;
}

interface Table {
  readonly hosts: Set<string>;
  /** Of its hosts those that a name covers. */
  readonly covered: Map<string, number>;
  readonly lengths: Map<string, number>;
  readonly patterns: Map<string, number>;
}

/** What is taken stays taken. The same order of questions gives the same answers. */
export class Room {
  #left: number;
  readonly #tables = new Map<object, Table>();

  constructor(most = MOST_RULES_LENGTH) {
    this.#left = most;
  }

  /** Undefined where there is room for it at all these places, which it has then; else what it is too much for. */
  take(places: readonly Place[], { length, patterns }: Demand): string | undefined {
    for (const { at, hostname } of places)
      if (patterns > 0 && (this.#table(at).patterns.get(hostname) ?? 0) + patterns > MOST_PATTERNS)
        return `more than ${MOST_PATTERNS} regular expressions for ${hostname === '' ? 'any host name' : hostname}`;
    let cost = 0;
    for (const { at, hostname } of places) {
      const table = this.#table(at);
      cost += length * (table.covered.get(hostname) ?? 0);
      if (table.hosts.has(hostname)) continue;
      cost += length;
      for (const outer of coveringNames(hostname)) cost += table.lengths.get(outer) ?? 0;
    }
    if (cost > this.#left)
      return `the rules of all together would be over ${MOST_RULES_LENGTH / 2 ** 20} MiB, where those of a wide host name count in each narrower one`;
    this.#left -= cost;
    for (const { at, hostname } of places) {
      const table = this.#table(at);
      add(table.lengths, hostname, length);
      add(table.patterns, hostname, patterns);
      if (table.hosts.has(hostname)) continue;
      table.hosts.add(hostname);
      for (const outer of coveringNames(hostname)) add(table.covered, outer, 1);
    }
    return undefined;
  }

  #table(at: object): Table {
    const table = this.#tables.get(at) ?? {
      hosts: new Set(),
      covered: new Map(),
      lengths: new Map(),
      patterns: new Map(),
    };
    this.#tables.set(at, table);
    return table;
  }
}

function add(map: Map<string, number>, key: string, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount);
}

/** Of a route at one host name. Filters and backends are repeated for each match. */
export function demandOf({ kind, spec }: StoredRoute): Demand {
  if (kind !== 'HTTPRoute' && kind !== 'GRPCRoute') return { length: JSON.stringify(spec.rules).length, patterns: 0 };
  let [length, patterns] = [0, 0];
  for (const { matches, ...rest } of spec.rules as readonly (HttpRule | GrpcRule)[]) {
    length +=
      JSON.stringify(matches).length + Math.max(1, matches.length) * (JSON.stringify(rest).length + RULE_LENGTH);
    patterns += countOf(matches);
  }
  return { length, patterns };
}

/** Of rules as a proxy gets them. */
export function demandOfRules(rules: readonly ProxyRule[]): Demand {
  return {
    length: rules.reduce((sum, rule) => sum + JSON.stringify(rule).length, 0),
    patterns: rules.filter(({ match }) => match.path?.type === 'regex').length,
  };
}

function countOf(matches: HttpRule['matches'] | GrpcRule['matches']): number {
  return JSON.stringify(matches).split('"type":"RegularExpression"').length - 1;
}
