/**
 * Host names with wildcards. `*.example.com` takes one label or more in front; '' takes any name. Source: Gateway API,
 * apis/v1: Listener.hostname and HTTPRouteSpec.hostnames.
 */

/** Whether every name that `inner` takes is one that `outer` takes. */
export function covers(outer: string, inner: string): boolean {
  if (outer === '' || outer === inner) return true;
  if (!outer.startsWith('*.')) return false;
  return inner.startsWith('*.') ? inner.slice(1).endsWith(outer.slice(1)) : inner.endsWith(outer.slice(1));
}

/** Every name that takes all that `hostname` takes, the most specific first. */
export function coveringNames(hostname: string): readonly string[] {
  if (hostname === '') return [''];
  const labels = hostname.split('.');
  return [hostname, ...labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join('.')}`), ''].filter(
    (name, at, all) => all.indexOf(name) === at,
  );
}

/** The names that both take; undefined for none. */
export function intersection(a: string, b: string): string | undefined {
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}

/** Most specific first: exact names, then wildcards by falling number of labels, then ''. Equal rank by text. */
export function bySpecificity(a: string, b: string): number {
  return rank(b) - rank(a) || (a < b ? -1 : a > b ? 1 : 0);
}

function rank(hostname: string): number {
  if (hostname === '') return 0;
  return hostname.startsWith('*.') ? hostname.split('.').length : 1000;
}

/** The most specific of `hostnames` that takes all that `hostname` takes. */
export function bestFor(hostname: string, hostnames: readonly string[]): string | undefined {
  return hostnames.filter((outer) => covers(outer, hostname)).toSorted(bySpecificity)[0];
}
