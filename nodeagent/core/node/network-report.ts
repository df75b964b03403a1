/** What a node has in force for one Service, as it tells whoever asks. */
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import type { NetworkReport, ToldForwarding } from '../../../contracts/agent/index.ts';
import type { ObjectKey } from '../../../contracts/objects/key.ts';
import type { AssignmentView, NetworkState } from '../assignment.ts';
import { forwardingsOf } from '../data-plane/assemble.ts';
import type { Forwarding, Frontend, Target } from '../data-plane/plan.ts';
import type { LocalPods } from '../local-pods.ts';

export interface NetworkReportInput {
  readonly view: AssignmentView;
  readonly pods: LocalPods;
  readonly state: NetworkState;
  /** Addresses of load balancers that this machine has. */
  readonly held: readonly string[];
  /** Absent: of none. */
  readonly service?: ObjectKey<'Service'>;
}

/** What the rules are as soon as `networkVersion` is the assignment's: they are worked out anew here. */
export function networkReport({ view, pods, state, held, service }: NetworkReportInput): NetworkReport {
  const forwardings = service === undefined ? [] : forwardingsOf(view, pods, service);
  return {
    assignmentVersion: view.version,
    networkVersion: state.version,
    networkError: state.error,
    known: service !== undefined && view.get(service) !== undefined,
    forwardings: forwardings.flatMap(told).slice(0, NETWORK_LIMITS.forwardings),
    held: held.slice(0, NETWORK_LIMITS.held),
  };
}

/** Pods and this machine may be sent elsewhere than others are: then both are told. */
function told({ origin, protocol, frontends, targets, insiders }: Forwarding): ToldForwarding[] {
  const port = origin.of === 'service-port' ? origin.port : String(origin.hostPort);
  const at = frontends.slice(0, NETWORK_LIMITS.frontends).map(frontendText);
  const outside = { port, protocol, at, ...toldTargets(targets) };
  return insiders
    ? [outside, { ...outside, port: `${port} (from pods and nodes)`, ...toldTargets(insiders.targets) }]
    : [outside];
}

function toldTargets(targets: readonly Target[]): Pick<ToldForwarding, 'to' | 'more'> {
  const to = targets.slice(0, NETWORK_LIMITS.targets).map(({ address, port }) => `${address}:${port}`);
  return { to, more: targets.length - to.length };
}

function frontendText(frontend: Frontend): string {
  switch (frontend.at) {
    case 'service-address':
    case 'external-address':
      return `${frontend.address}:${frontend.port}`;
    case 'node-port':
      return `node port ${frontend.port}`;
    case 'host-port':
      return `host port ${frontend.address ?? ''}:${frontend.port}`;
  }
}
