/**
 * From the table in force to the next one: the fewest commands, in an order that the kernel accepts within one
 * transaction.
 */
import { sameData } from './equality.ts';
import type {
  Chain,
  Claim,
  Command,
  Container,
  Element,
  Flow,
  Fragment,
  Ruleset,
  StaleFlow,
  TrackedFrontend,
} from './model.ts';

export const EMPTY_RULESET: Ruleset = { fragments: new Map(), claims: new Map() };

export interface Delta {
  readonly next: Ruleset;
  /** Empty when nothing changes. */
  readonly commands: readonly Command[];
  readonly staleFlows: readonly StaleFlow[];
  /**
   * Some TCP endpoint gets no new connection any more: who still waits for its answer is to be found by {@link
   * misledFlows}.
   */
  readonly leftByTcp: boolean;
}

/** Owner to its new fragment; undefined removes the owner. */
export type FragmentChanges = ReadonlyMap<string, Fragment | undefined>;

/**
 * The ruleset with some owners' fragments replaced, and the commands that bring a table that is `from` there. Looks at
 * the changed owners only. Deterministic: the same arguments give the same commands in the same order.
 */
export function changeRuleset(from: Ruleset, changes: FragmentChanges): Delta {
  const owners = [...changes.keys()].sort();
  const fragments = new Map(from.fragments);
  const claims = new ClaimEdit(from.claims);
  const buckets = new Buckets();
  const staleFlows: StaleFlow[] = [];
  let leftByTcp = false;
  for (const owner of owners) {
    const before = from.fragments.get(owner);
    const after = changes.get(owner);
    if (after === undefined) fragments.delete(owner);
    else fragments.set(owner, after);
    compareContainers(before, after, buckets);
    compareChains(before, after, buckets);
    claims.replace(owner, before?.elements ?? [], after?.elements ?? []);
    staleFlows.push(...staleFlowsOf(before?.tracked ?? [], after?.tracked ?? []));
    leftByTcp ||= endpointsLeft(before?.tracked ?? [], after?.tracked ?? []);
  }
  claims.differences(buckets);
  return { next: { fragments, claims: claims.result() }, commands: buckets.commands(), staleFlows, leftByTcp };
}

/** Everything in one transaction: whatever table was there is replaced, without a moment in between. */
export function renderWhole(ruleset: Ruleset): readonly Command[] {
  const { commands } = changeRuleset(EMPTY_RULESET, ruleset.fragments);
  return [{ do: 'replace-table' }, ...commands];
}

function compareContainers(before: Fragment | undefined, after: Fragment | undefined, buckets: Buckets): void {
  const old = byName(before?.containers);
  const now = byName(after?.containers);
  for (const container of now.values()) if (!old.has(container.name)) buckets.addContainers.push(container);
  for (const container of old.values()) if (!now.has(container.name)) buckets.deleteContainers.push(container.name);
}

function compareChains(before: Fragment | undefined, after: Fragment | undefined, buckets: Buckets): void {
  const old = byName(before?.chains);
  const now = byName(after?.chains);
  for (const chain of now.values()) {
    const previous = old.get(chain.name);
    if (previous === undefined) buckets.addChains.push(chain);
    else if (!sameData(previous.rules, chain.rules)) buckets.changeChains.push(chain);
  }
  for (const chain of old.values()) if (!now.has(chain.name)) buckets.deleteChains.push(chain.name);
}

function byName<T extends { readonly name: string }>(items: readonly T[] | undefined): Map<string, T> {
  return new Map((items ?? []).map((item) => [item.name, item]));
}

/** Commands by kind. Things are made before they are referred to, and removed after the last reference is gone. */
class Buckets {
  readonly addContainers: Container[] = [];
  readonly addChains: Chain[] = [];
  readonly changeChains: Chain[] = [];
  readonly deleteElements = new Map<string, Element[]>();
  readonly addElements = new Map<string, Element[]>();
  readonly deleteChains: string[] = [];
  readonly deleteContainers: string[] = [];

  commands(): Command[] {
    return [
      ...this.addContainers.map((container): Command => ({ do: 'add-container', container })),
      ...this.addChains.map(({ rules: _, ...chain }): Command => ({ do: 'add-chain', chain })),
      ...this.addChains.map((c): Command => ({ do: 'set-rules', chain: c.name, fresh: true, rules: c.rules })),
      ...this.changeChains.map((c): Command => ({ do: 'set-rules', chain: c.name, fresh: false, rules: c.rules })),
      ...[...this.deleteElements].map(([container, elements]): Command => ({
        do: 'delete-elements',
        container,
        elements,
      })),
      ...[...this.addElements].map(([container, elements]): Command => ({ do: 'add-elements', container, elements })),
      // Chains of one Service refer to each other: all are emptied before the first goes.
      ...this.deleteChains.map((chain): Command => ({ do: 'set-rules', chain, fresh: false, rules: [] })),
      ...this.deleteChains.map((chain): Command => ({ do: 'delete-chain', chain })),
      ...this.deleteContainers.map((container): Command => ({ do: 'delete-container', container })),
    ];
  }
}

/** Copy-on-write edit of the claims on elements; remembers who held a key before it was touched. */
class ClaimEdit {
  private readonly before: Ruleset['claims'];
  private readonly edited = new Map<string, Map<string, readonly Claim[]>>();
  private readonly touched = new Map<string, Set<string>>();

  constructor(before: Ruleset['claims']) {
    this.before = before;
  }

  replace(owner: string, old: readonly Element[], now: readonly Element[]): void {
    const kept = new Map(now.map((e) => [`${e.container} ${e.key}`, e]));
    for (const element of old) {
      const same = kept.get(`${element.container} ${element.key}`);
      if (same !== undefined && same.chain === element.chain) kept.delete(`${element.container} ${element.key}`);
      else this.edit(element, (claims) => claims.filter((c) => c.owner !== owner));
    }
    for (const element of kept.values()) {
      this.edit(element, (claims) =>
        [...claims.filter((c) => c.owner !== owner), { owner, chain: element.chain }].sort(byOwner),
      );
    }
  }

  differences(buckets: Buckets): void {
    for (const container of [...this.touched.keys()].sort()) {
      for (const key of [...(this.touched.get(container) ?? [])].sort()) {
        const old = this.before.get(container)?.get(key)?.[0];
        const now = this.edited.get(container)?.get(key)?.[0];
        if (old !== undefined && now !== undefined && old.chain === now.chain) continue;
        if (old !== undefined) push(buckets.deleteElements, container, asElement(container, key, old));
        if (now !== undefined) push(buckets.addElements, container, asElement(container, key, now));
      }
    }
  }

  result(): Ruleset['claims'] {
    return new Map([...this.before, ...this.edited]);
  }

  private edit(element: Element, change: (claims: readonly Claim[]) => readonly Claim[]): void {
    const keys = this.edited.get(element.container) ?? new Map(this.before.get(element.container));
    this.edited.set(element.container, keys);
    const claims = change(keys.get(element.key) ?? []);
    if (claims.length === 0) keys.delete(element.key);
    else keys.set(element.key, claims);
    const touched = this.touched.get(element.container) ?? new Set();
    this.touched.set(element.container, touched.add(element.key));
  }
}

function byOwner(a: Claim, b: Claim): number {
  return a.owner < b.owner ? -1 : Number(a.owner > b.owner);
}

function asElement(container: string, key: string, claim: Claim): Element {
  return claim.chain === undefined ? { container, key } : { container, key, chain: claim.chain };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/**
 * Flows to forget. The connection tracker goes on sending a flow to the endpoint it chose first.
 * - UDP has no end: while a client sends, its flow goes on, also to an endpoint that gets no new ones. And what a
 *   client sent before the first endpoint came was tracked without redirection.
 * - A TCP connection ends by itself, and goes on while its pod terminates, or left the Service by a label. When an
 *   endpoint that terminated exists no more, nobody answers there: forgotten, the connection's next packet meets
 *   another endpoint, which resets it, instead of silence; and a client that takes the same port again is no longer led
 *   to the dead (the tracker keeps an entry when a SYN comes, for up to five days:
 *   nf_conntrack_tcp_timeout_established).
 */
export function staleFlowsOf(before: readonly TrackedFrontend[], after: readonly TrackedFrontend[]): StaleFlow[] {
  const now = new Map(after.map((f) => [frontendKey(f), f]));
  const old = new Map(before.map((f) => [frontendKey(f), f]));
  const gone = before.flatMap((f) => {
    const next = now.get(frontendKey(f));
    const [had, kept] = f.protocol === 'UDP' ? [f.endpoints, next?.endpoints] : [f.ending, next?.known];
    return had.filter((e) => !kept?.includes(e)).map((endpoint) => ({ ...aim(f), endpoint }));
  });
  const fresh = after.filter(
    (f) =>
      f.protocol === 'UDP' &&
      f.address !== undefined &&
      f.endpoints.length > 0 &&
      (old.get(frontendKey(f))?.endpoints.length ?? 0) === 0,
  );
  return [...gone, ...fresh.map(aim)];
}

/** Whether a TCP frontend lost an endpoint for new connections. */
function endpointsLeft(before: readonly TrackedFrontend[], after: readonly TrackedFrontend[]): boolean {
  const now = new Map(after.map((f) => [frontendKey(f), f]));
  return before.some(
    (f) => f.protocol === 'TCP' && f.endpoints.some((e) => !now.get(frontendKey(f))?.endpoints.includes(e)),
  );
}

/**
 * Of the flows that are there, those that aim at a frontend of the ruleset and are sent to none of its endpoints. For
 * UDP flows at the first pass after a start, when nobody knows what the rules before were, and for TCP connections that
 * nobody answered yet: every try again of the client would keep them going.
 */
export function misledFlows(ruleset: Ruleset, flows: readonly Flow[]): StaleFlow[] {
  const frontends = new Map<string, Set<string>>();
  for (const frontend of [...ruleset.fragments.values()].flatMap((f) => f.tracked)) {
    const endpoints = frontends.get(frontendKey(frontend)) ?? new Set();
    for (const endpoint of frontend.endpoints) endpoints.add(endpoint);
    frontends.set(frontendKey(frontend), endpoints);
  }
  return flows
    .filter((flow) => {
      // A port of the machine that nobody redirected belongs to a process of some machine: none of ours to end.
      const anywhere =
        flow.address === flow.endpoint
          ? undefined
          : frontends.get(frontendKey({ protocol: flow.protocol, port: flow.port }));
      const endpoints = frontends.get(frontendKey(flow)) ?? anywhere;
      return endpoints !== undefined && !endpoints.has(flow.endpoint);
    })
    .map((flow) => ({ ...flow, ...(flow.protocol === 'TCP' && { unanswered: true as const }) }));
}

function frontendKey({ protocol, address = '', port }: Pick<TrackedFrontend, 'protocol' | 'address' | 'port'>): string {
  return `${protocol} ${address}:${port}`;
}

function aim({ protocol, address, port }: TrackedFrontend): StaleFlow {
  return { protocol, ...(address !== undefined && { address }), port };
}
