/**
 * Which flows the connection tracker must forget. It goes on sending a flow to the endpoint it chose first, whatever the
 * plan says now; every packet filter of Linux has the same tracker.
 */
import type { Forwarding, Frontend, Protocol, ServicePlan } from './plan.ts';

/** Flows that the connection tracker must forget: with `endpoint`, those sent there; without, all of that frontend. */
export interface StaleFlow {
  readonly protocol: Protocol;
  readonly address?: string;
  readonly port: number;
  readonly endpoint?: string;
  /** Only TCP connections that nobody has answered yet. */
  readonly unanswered?: true;
}

/** A flow that the connection tracker knows: where the client aims, and who answers. */
export interface Flow {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly endpoint: string;
}

/** Where clients aim, and who may have their flows. */
interface TrackedFrontend {
  readonly protocol: Protocol;
  /** Absent for a port of the machine: any of its addresses. */
  readonly address?: string;
  readonly port: number;
  /** Addresses of the endpoints that get new connections. */
  readonly endpoints: readonly string[];
  readonly known: readonly string[];
  readonly ending: readonly string[];
}

function trackedFrontends(forwardings: readonly Forwarding[]): TrackedFrontend[] {
  return forwardings.flatMap(({ protocol, frontends, targets, insiders, known, ending }) => {
    const endpoints = [...new Set([...targets, ...(insiders?.targets ?? [])].map((target) => target.address))];
    return frontends.map((frontend: Frontend) => ({
      protocol,
      ...('address' in frontend && { address: frontend.address }),
      port: frontend.port,
      endpoints,
      known,
      ending,
    }));
  });
}

/** What follows for flows when one owner's forwardings `before` are replaced by `after`. */
export interface FlowsLeft {
  /**
   * - UDP has no end: while a client sends, its flow goes on, also to an endpoint that gets no new ones. And what a
   *   client sent before the first endpoint came was tracked without redirection.
   * - A TCP connection ends by itself, and goes on while its pod terminates, or left the Service by a label. When an
   *   endpoint that terminated exists no more, nobody answers there: forgotten, the connection's next packet meets
   *   another endpoint, which resets it, instead of silence; and a client that takes the same port again is no longer
   *   led to the dead (the tracker keeps an entry when a SYN comes, for up to five days:
   *   nf_conntrack_tcp_timeout_established).
   */
  readonly stale: readonly StaleFlow[];
  /**
   * Some TCP endpoint gets no new connection any more: who still waits for its answer is to be found by {@link
   * misledFlows}.
   */
  readonly leftByTcp: boolean;
}

export function flowsLeft(before: readonly Forwarding[], after: readonly Forwarding[]): FlowsLeft {
  const were = trackedFrontends(before);
  const are = trackedFrontends(after);
  const old = new Map(were.map((f) => [frontendKey(f), f]));
  const now = new Map(are.map((f) => [frontendKey(f), f]));
  const gone = were.flatMap((f) => {
    const next = now.get(frontendKey(f));
    const [had, kept] = f.protocol === 'UDP' ? [f.endpoints, next?.endpoints] : [f.ending, next?.known];
    return had.filter((e) => !kept?.includes(e)).map((endpoint) => ({ ...aim(f), endpoint }));
  });
  const fresh = are.filter(
    (f) =>
      f.protocol === 'UDP' &&
      f.address !== undefined &&
      f.endpoints.length > 0 &&
      (old.get(frontendKey(f))?.endpoints.length ?? 0) === 0,
  );
  return {
    stale: [...gone, ...fresh.map(aim)],
    leftByTcp: were.some(
      (f) => f.protocol === 'TCP' && f.endpoints.some((e) => !now.get(frontendKey(f))?.endpoints.includes(e)),
    ),
  };
}

/**
 * Of the flows that are there, those that aim at a frontend of the plan and are sent to none of its endpoints. For UDP
 * flows at the first pass after a start, when nobody knows what the plan before was, and for TCP connections that
 * nobody answered yet: every try again of the client would keep them going.
 */
export function misledFlows(forwardings: ServicePlan['forwardings'], flows: readonly Flow[]): StaleFlow[] {
  if (flows.length === 0) return [];
  const frontends = new Map<string, Set<string>>();
  for (const frontend of [...forwardings.values()].flatMap(trackedFrontends)) {
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
