/**
 * How much the proxies are given to do. Rules of a wide host name are repeated in all narrower ones of its listener, so a
 * few routes could make more than any proxy, or the store, can hold; and each regular expression of a host may be tried for
 * each of its requests. What is over is told, and all that came before it goes on.
 */
import type { GrpcRule, HttpRule, ProxyMatch, ProxyRule, StoredRoute } from '../../../contracts/objects/index.ts';
import { covers, coveringNames } from './hostnames.ts';
import { matchesOf } from './http-rules.ts';
import { PathSteps } from './path-steps.ts';

/** Characters of all rules, as a ProxyConfig has them; Ingresses have as many once more. */
export const MOST_RULES_LENGTH = 4 * 2 ** 20;
/** Regular expressions that are written for one host name of one listener. */
export const MOST_PATTERNS = 100;
/** Steps of all paths of one host name ({@link PathSteps}), and of all together: each is two lines of a proxy's configuration, or more. */
export const MOST_STEPS = 50_000;
const MOST_STEPS_TOGETHER = 200_000;
/** What a rule has beside what people write: its origin, and names of backends. */
const RULE_LENGTH = 200;

export interface Demand {
  /** Characters of the rules. */
  readonly length: number;
  readonly patterns: number;
  readonly matches: readonly ProxyMatch[];
}

/** A host name, at what shares host names: a listener, or the Ingresses. */
export interface Place {
  readonly at: object;
  readonly hostname: string;
}

interface Table {
  /** With the steps of all rules that each has, those of wider names too. */
  readonly hosts: Map<string, PathSteps>;
  /** By the name that they are written for. */
  readonly matches: Map<string, ProxyMatch[]>;
  /** Of its hosts those that a name covers. */
  readonly covered: Map<string, number>;
  readonly lengths: Map<string, number>;
  readonly patterns: Map<string, number>;
}

/** What is taken stays taken. The same order of questions gives the same answers. */
export class Room {
  #left: number;
  #steps = 0;
  readonly #tables = new Map<object, Table>();

  constructor(most = MOST_RULES_LENGTH) {
    this.#left = most;
  }

  /** Undefined where there is room for it at all these places, which it has then; else what it is too much for. */
  take(places: readonly Place[], demand: Demand): string | undefined {
    const { length, patterns, matches } = demand;
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
    const steep = this.#climb(places, matches);
    if (steep !== undefined) return steep;
    this.#left -= cost;
    for (const { at, hostname } of places) {
      const table = this.#table(at);
      add(table.lengths, hostname, length);
      add(table.patterns, hostname, patterns);
    }
    return undefined;
  }

  /** Takes the steps that the rules make at all these places, or none; then says what they are too much for. */
  #climb(places: readonly Place[], matches: readonly ProxyMatch[]): string | undefined {
    const undo: (() => void)[] = [];
    const climb = (
      hostname: string,
      steps: PathSteps,
      more: readonly ProxyMatch[],
      isOwn: boolean,
    ): string | undefined => {
      for (const match of more) {
        const before = steps.total;
        steps.add(match, isOwn);
        this.#steps += steps.total - before;
        undo.push(() => {
          const added = steps.total;
          steps.remove(match, isOwn);
          this.#steps -= added - steps.total;
        });
        if (steps.total > MOST_STEPS)
          return `more than ${MOST_STEPS} rules to try at all paths of ${hostname === '' ? 'any host name' : hostname} together: those that ask for more than a path, or for a regular expression, count at each path below`;
        if (this.#steps > MOST_STEPS_TOGETHER)
          return `more than ${MOST_STEPS_TOGETHER} rules to try at all paths of all host names together`;
      }
      return undefined;
    };
    const climbAll = (): string | undefined => {
      for (const { at, hostname } of places) {
        const table = this.#table(at);
        const own = table.hosts.get(hostname) ?? new PathSteps();
        const isNew = !table.hosts.has(hostname);
        if (isNew) {
          table.hosts.set(hostname, own);
          for (const outer of coveringNames(hostname)) add(table.covered, outer, 1);
          undo.push(() => {
            table.hosts.delete(hostname);
            for (const outer of coveringNames(hostname)) add(table.covered, outer, -1);
          });
        }
        const outer = isNew ? coveringNames(hostname).flatMap((name) => table.matches.get(name) ?? []) : [];
        const over = climb(hostname, own, outer, false) ?? climb(hostname, own, matches, true);
        if (over !== undefined) return over;
        if (hostname !== '' && !hostname.startsWith('*.')) continue;
        const named = new Set(places.filter((place) => place.at === at).map((place) => place.hostname));
        for (const [inner, steps] of table.hosts) {
          if (named.has(inner) || !covers(hostname, inner)) continue;
          const wide = climb(inner, steps, matches, false);
          if (wide !== undefined) return wide;
        }
      }
      return undefined;
    };
    const over = climbAll();
    if (over !== undefined) for (const one of undo.reverse()) one();
    else
      for (const { at, hostname } of places) {
        const { matches: taken } = this.#table(at);
        const before = taken.get(hostname);
        if (before) for (const match of matches) before.push(match);
        else taken.set(hostname, [...matches]);
      }
    return over;
  }

  #table(at: object): Table {
    const table = this.#tables.get(at) ?? {
      hosts: new Map(),
      matches: new Map(),
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
export function demandOf(route: StoredRoute): Demand {
  const { kind, spec } = route;
  if (kind !== 'HTTPRoute' && kind !== 'GRPCRoute')
    return { length: JSON.stringify(spec.rules).length, patterns: 0, matches: [] };
  let [length, patterns] = [0, 0];
  for (const { matches, ...rest } of spec.rules as readonly (HttpRule | GrpcRule)[]) {
    length +=
      JSON.stringify(matches).length + Math.max(1, matches.length) * (JSON.stringify(rest).length + RULE_LENGTH);
    patterns += countOf(matches);
  }
  return {
    length,
    patterns,
    matches: spec.rules.flatMap((_, index) => matchesOf(route, index).map(({ match }) => match)),
  };
}

/** Of rules as a proxy gets them, at the port of one scheme and at the other's. */
export function demandOfRules(plain: readonly ProxyRule[], secure: readonly ProxyRule[]): Demand {
  const rules = [...plain, ...secure];
  return {
    matches: (plain.length > secure.length ? plain : secure).map(({ match }) => match),
    length: rules.reduce((sum, rule) => sum + JSON.stringify(rule).length, 0),
    patterns: rules.filter(({ match }) => match.path?.type === 'regex').length,
  };
}

function countOf(matches: HttpRule['matches'] | GrpcRule['matches']): number {
  return JSON.stringify(matches).split('"type":"RegularExpression"').length - 1;
}
