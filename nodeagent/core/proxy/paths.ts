/**
 * Which rules of a host a path can meet, so that a request looks its path up and tries those only: the cost of a request
 * does not grow with the number of literal paths.
 */
import type { ProxyMatch } from '../../../contracts/objects/proxy-config.ts';

export interface PathRule {
  readonly match: ProxyMatch;
  /** Nothing but its path is asked of a request. */
  readonly always: boolean;
}

/** A place in the tree of a host's paths. */
export interface PathNode<R> {
  readonly type: 'exact' | 'prefix';
  /** As in the manifest, without a slash at the end but for '/'. */
  readonly value: string;
  /** Those that may take a request which this is the nearest node of, in order; none behind the first that takes all. */
  readonly rules: readonly R[];
  /** There is no room for its rules. */
  readonly isOver?: true;
}

/**
 * Of all nodes of a host together. Who makes the rules keeps to less for Gateways and for Ingresses (reconciler/core/gateway/room.ts):
 * this is for both at one name.
 */
const MOST_STEPS = 200_000;

/**
 * Nodes of a host: each exact path, and each prefix. A request belongs to the exact one that it is, else to the longest
 * prefix, by elements; its first rule there that holds is the host's first that holds.
 */
export function pathNodes<R extends PathRule>(rules: readonly R[], most = MOST_STEPS): PathNode<R>[] {
  if (rules.length === 0) return [];
  let left = most;
  const place = new Map(rules.map((rule, at) => [rule, at]));
  const exact = new Map<string, R[]>();
  const prefixes = new Map<string, R[]>();
  const anywhere: R[] = [];
  for (const rule of rules) {
    const { path } = rule.match;
    if (path?.type === 'regex') anywhere.push(rule);
    else if (path?.type === 'exact') append(exact, path.value, rule);
    else append(prefixes, elementsOf(path?.value ?? '/'), rule);
  }
  if (anywhere.length > 0 && !prefixes.has('/')) prefixes.set('/', []);

  const inOrder = (found: readonly R[]): R[] => {
    const sorted = [...found].sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
    const last = sorted.findIndex((rule) => rule.always);
    return last === -1 ? sorted : sorted.slice(0, last + 1);
  };
  const nodeOf = (type: 'exact' | 'prefix', value: string, found: () => readonly R[]): PathNode<R> => {
    const own = left > 0 ? inOrder(found()) : [];
    left -= own.length;
    return left < 0 || own.length === 0 ? { type, value, rules: [], isOver: true } : { type, value, rules: own };
  };
  const above = (path: string): R[] => ancestors(path).flatMap((prefix) => prefixes.get(prefix) ?? []);
  return [
    ...[...exact].map(([value, own]) => nodeOf('exact', value, () => [...own, ...above(value), ...anywhere])),
    ...[...prefixes.keys()].map((value) => nodeOf('prefix', value, () => [...above(value), ...anywhere])),
  ];
}

/** Prefixes that take a path, the longest first. `/a/` has `/a/`'s own element `''` behind `/a`. */
function ancestors(path: string): string[] {
  const found: string[] = [];
  let rest = path;
  while (rest.length > 1) {
    found.push(rest);
    rest = rest.slice(0, Math.max(0, rest.lastIndexOf('/')));
  }
  return [...found, '/'];
}

function elementsOf(prefix: string): string {
  return prefix.length > 1 ? prefix.replace(/\/+$/, '') || '/' : '/';
}

function append<R>(map: Map<string, R[]>, key: string, rule: R): void {
  const list = map.get(key);
  if (list) list.push(rule);
  else map.set(key, [rule]);
}
