/** Asking nodes about their network: what they have in force for a Service, and what they reach. */
import { errorText } from '../../contracts/errors.ts';
import { clusterDomain } from '../../contracts/objects/cluster-domain.ts';
import { conditionIsTrue, loadBalancerAddresses, type StoredService } from '../../contracts/objects/index.ts';
import { AgentClient } from '../controllers/nodes/agent-client.ts';
import { judgeNetCheck, planNetCheck, type NetCheckReport, type NodeWord } from '../core/services/net-check.ts';
import { traceService } from '../core/services/trace.ts';
import { wordOfNode } from '../core/services/node-word.ts';
import { ApiError } from './answers.ts';
import type { PodAccess } from './pods.ts';
import type { ExplainedService, ServiceOnNode } from './types.ts';

/** Nodes that are asked for one Service: the others are as likely well, and many answers are nothing for people. */
const MOST_NODES_ASKED = 20;
const ASK_MS = 3000;
/** 256 probes of 2.5 s, 32 at a time, and the way there. */
const PROBES_MS = 30_000;
const CHECKS_AT_ONCE = 1;

export async function explainService(
  access: PodAccess,
  service: StoredService,
  signal: AbortSignal,
): Promise<ExplainedService> {
  const { view } = access;
  const trace = traceService(service, view);
  const nodes = view.list('Node');
  const withRules = service.spec.clusterIP !== undefined && service.spec.clusterIP !== 'None';
  const asked = withRules ? nodes.slice(0, MOST_NODES_ASKED) : [];
  const told = await Promise.all(
    asked.map(async ({ metadata: { name }, status }): Promise<AskedNode> =>
      conditionIsTrue(status?.conditions, 'Ready')
        ? await askNode(access, name, service, signal)
        : { node: name, inForce: false, says: `it is not ready: see \`plumb explain node/${name}\``, holds: [] },
    ),
  );
  const balancers = loadBalancerAddresses(service).map((address) => ({
    address,
    heldBy: told.filter(({ holds }) => holds.includes(address)).map(({ node }) => node),
  }));
  const lacking = told.find(({ inForce }) => !inForce);
  const unheld = balancers.find(({ heldBy }) => heldBy.length === 0 && nodes.length <= MOST_NODES_ASKED);
  const broken =
    trace.broken ??
    (lacking && `node ${lacking.node}: ${lacking.says}`) ??
    (unheld && `no node answers for ${unheld.address}: see the L2Advertisement of its pool`);
  return {
    ...trace,
    nodes: told.map(({ holds: _, ...one }) => one),
    moreNodes: withRules ? nodes.length - asked.length : 0,
    balancers,
    ...(broken !== undefined && { broken }),
  };
}

interface AskedNode extends ServiceOnNode {
  /** Addresses of load balancers. */
  readonly holds: readonly string[];
}

async function askNode(
  { connectionTo, heldElsewhere, clock }: PodAccess,
  node: string,
  service: StoredService,
  signal: AbortSignal,
): Promise<AskedNode> {
  const connection = connectionTo(node);
  if (!connection) {
    const other = heldElsewhere?.(node);
    return {
      node,
      inForce: other !== undefined,
      says:
        other === undefined ? 'there is no connection to it' : `the control plane on ${other} speaks to it: ask there`,
      holds: [],
    };
  }
  const key = `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
  try {
    const report = await new AgentClient(connection, clock).network(key, signal, ASK_MS);
    return { node, ...wordOfNode(report), holds: report.held };
  } catch (error) {
    signal.throwIfAborted();
    return { node, inForce: false, says: `its agent did not say: ${errorText(error)}`, holds: [] };
  }
}

/** One at a time for a control plane: ApiError 429 `TooManyRequests` meanwhile. */
export function createNetCheck(access: PodAccess): (signal: AbortSignal) => Promise<NetCheckReport> {
  let running = 0;
  return async (signal) => {
    if (running >= CHECKS_AT_ONCE)
      throw new ApiError(429, 'TooManyRequests', 'the network is being checked already: wait for it');
    running += 1;
    try {
      return await netCheck(access, signal);
    } finally {
      running -= 1;
    }
  };
}

async function netCheck({ view, connectionTo, clock }: PodAccess, signal: AbortSignal): Promise<NetCheckReport> {
  const plan = planNetCheck({
    nodes: view.list('Node'),
    machines: view.list('Machine'),
    pods: view.list('Pod'),
    services: view.list('Service'),
    slices: view.list('EndpointSlice'),
    policies: view.list('NetworkPolicy'),
    domain: clusterDomain(view.list('Cluster')[0]),
  });
  const words = await Promise.all(
    [...plan.checks].map(async ([node, checks]): Promise<readonly [string, NodeWord]> => {
      const connection = connectionTo(node);
      if (!connection) return [node, { silent: 'this control plane has no connection to it' }];
      const probes = checks.map(({ probe }) => probe);
      try {
        return [node, { results: await new AgentClient(connection, clock).probes(probes, signal, PROBES_MS) }];
      } catch (error) {
        signal.throwIfAborted();
        return [node, { silent: errorText(error) }];
      }
    }),
  );
  return judgeNetCheck(plan, new Map(words));
}
