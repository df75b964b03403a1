/**
 * Which of two rules is tried first. Source: Gateway API, apis/v1: HTTPRouteRule.matches and GRPCRouteRule.matches; of
 * regular expressions, which are left to implementations: after exact paths, before prefixes, the longer first.
 */
import type { ProxyRule } from '../../../contracts/objects/index.ts';
import { compare } from './world.ts';

export interface RankedRule {
  readonly rule: ProxyRule;
  /** The host name that its route writes, of those that take this host. */
  readonly written: string;
  readonly rank: Rank;
  /** RFC 3339, of its route. */
  readonly since: string;
  /** `namespace/name` of its route. */
  readonly route: string;
  /** Its place in the route. */
  readonly place: number;
}
/** Compared from the first on, the larger first. */
export type Rank = readonly number[];

/** Total: ties are broken by age, name and place. */
export function byPrecedence(a: RankedRule, b: RankedRule): number {
  return (
    compareRanks(hostRank(a.written), hostRank(b.written)) ||
    compareRanks(a.rank, b.rank) ||
    compare(a.since, b.since) ||
    compare(a.route, b.route) ||
    a.place - b.place
  );
}

/** Characters of a name without wildcard, then of any. */
function hostRank(hostname: string): Rank {
  return [hostname.startsWith('*') ? 0 : hostname.length, hostname.length];
}

function compareRanks(a: Rank, b: Rank): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return other - value;
  }
  return 0;
}

const PATH_RANK = { exact: 2, regex: 1, prefix: 0 } as const;

/** Of a match of an HTTPRoute, or of a path of an Ingress. */
export function matchRank({ path, method, headers = [], query = [] }: ProxyRule['match']): Rank {
  return [
    path ? PATH_RANK[path.type] : 0,
    path?.value === '/' ? 0 : (path?.value.length ?? 0),
    method === undefined ? 0 : 1,
    headers.length,
    query.length,
  ];
}
