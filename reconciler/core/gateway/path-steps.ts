/**
 * How many rules the places of one host's paths have together: one that asks for more than its path, or for a regular
 * expression, is tried at every path below it, so few rules may make many steps. Never fewer than a proxy has, which counts
 * them in order (nodeagent/core/proxy/paths.ts), and few more.
 */
import type { ProxyMatch } from '../../../contracts/objects/index.ts';

type Counts = Map<string, number>;
type Place = 'exact' | 'prefix';

export class PathSteps {
  /** By place, how many rules name it; and those of them that take all that comes there. */
  readonly #places: Counts = new Map();
  readonly #closed: Counts = new Map();
  /** By prefix: rules that ask for more, and places that they are tried at. */
  readonly #asking: Counts = new Map();
  readonly #reached: Counts = new Map();
  #patterns = 0;
  /** Places that regular expressions are tried at. */
  #open = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** `isOwn`: it is written for this host name, so that no rule of a wider one is tried before it. */
  add(match: ProxyMatch, isOwn: boolean): void {
    const [type, value] = placeOf(match);
    this.#name(type, value, 1);
    this.#ask(match, isOwn, 1);
  }

  remove(match: ProxyMatch, isOwn: boolean): void {
    const [type, value] = placeOf(match);
    this.#ask(match, isOwn, -1);
    this.#name(type, value, -1);
  }

  #name(type: Place, value: string, by: 1 | -1): void {
    const place = `${type} ${value}`;
    const wasNamed = this.#places.has(place);
    count(this.#places, place, by);
    if (wasNamed === this.#places.has(place)) return;
    this.#open += by;
    this.#total += by * (1 + this.#patterns);
    this.#flow(ancestors(value), by);
  }

  #ask(match: ProxyMatch, isOwn: boolean, by: 1 | -1): void {
    const [type, value] = placeOf(match);
    if (match.path?.type === 'regex') {
      this.#patterns += by;
      this.#total += by * this.#open;
    } else if (asksForMore(match)) {
      if (type === 'prefix') count(this.#asking, value, by);
      this.#total += by * (type === 'prefix' ? (this.#reached.get(value) ?? 0) : 1);
    } else if (isOwn) this.#close(type, value, by);
  }

  /** What is there is tried at so many more places, up to where all is taken. */
  #flow(prefixes: readonly string[], by: number): void {
    for (const prefix of prefixes) {
      count(this.#reached, prefix, by);
      this.#total += by * (this.#asking.get(prefix) ?? 0);
      if (this.#closed.has(`prefix ${prefix}`)) break;
    }
  }

  #close(type: Place, value: string, by: 1 | -1): void {
    const place = `${type} ${value}`;
    const wasClosed = this.#closed.has(place);
    count(this.#closed, place, by);
    if (wasClosed === this.#closed.has(place)) return;
    if (type === 'prefix') this.#flow(ancestors(value).slice(1), -by * (this.#reached.get(value) ?? 0));
    else {
      this.#open -= by;
      this.#total -= by * this.#patterns;
      this.#flow(ancestors(value), -by);
    }
  }
}

/** A regular expression may take a request anywhere. */
function placeOf({ path }: ProxyMatch): readonly [Place, string] {
  if (path === undefined || path.type === 'regex') return ['prefix', '/'];
  return path.type === 'exact' ? ['exact', path.value] : ['prefix', elementsOf(path.value)];
}

function asksForMore({ method, headers = [], query = [] }: ProxyMatch): boolean {
  return method !== undefined || headers.length > 0 || query.length > 0;
}

function count(map: Counts, key: string, by: number): void {
  const next = (map.get(key) ?? 0) + by;
  if (next === 0) map.delete(key);
  else map.set(key, next);
}

/** Prefixes that take a path, the longest first. */
function ancestors(path: string): readonly string[] {
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
