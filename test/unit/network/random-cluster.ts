/** Small random clusters whose Services, addresses, node ports and host ports often collide, some of them with policies. */
import fc from 'fast-check';
import {
  NetworkPolicyManifest,
  objectKey,
  OWN_API_VERSION,
  PEER_GROUP_LABEL,
  peerGroupsOf,
  type KubeObject,
} from '../../../contracts/objects/index.ts';
import type { LocalPods } from '../../../nodeagent/core/local-pods.ts';
import { planChange, touchedBy } from '../../../nodeagent/core/data-plane/assemble.ts';
import type { PlanChange, ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { localPodRange } from '../../../nodeagent/core/data-plane/network.ts';
import { Guards, type GuardScope } from '../../../nodeagent/core/data-plane/policy/guards.ts';
import type { AssignmentView } from '../../../nodeagent/core/assignment.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { cluster, endpoint, node, pod, service, slice, TestAssignment, wholePlan } from './world.ts';

const randomEndpoint = fc
  .record({
    host: fc.integer({ min: 2, max: 5 }),
    net: fc.constantFrom(1, 2),
    state: fc.constantFrom('ready', 'unready', 'terminating'),
  })
  .map((e) => endpoint(`198.19.${e.net}.${e.host}`, e.state));

const randomService = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    ip: fc.integer({ min: 1, max: 5 }),
    protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
    nodePort: fc.option(fc.constantFrom(30001, 30002), { nil: undefined }),
    second: fc.boolean(),
    affinity: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
    endpoints: fc.array(randomEndpoint, { maxLength: 4 }),
    more: fc.array(randomEndpoint, { maxLength: 2 }),
  })
  .map((r): KubeObject[] => {
    const first = {
      name: 'one',
      port: 80,
      protocol: r.protocol,
      ...(r.nodePort !== undefined && { nodePort: r.nodePort }),
    };
    const affinity =
      r.affinity === undefined
        ? {}
        : { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: r.affinity } } };
    const svc = service(
      r.name,
      `198.19.128.${r.ip}`,
      r.second ? [first, { name: 'two', port: 81 }] : [first],
      affinity,
    );
    return [svc, slice(svc, r.endpoints, 'a'), slice(svc, r.more, 'b')];
  });

const randomPod = fc
  .record({
    host: fc.constantFrom(2, 3, 4),
    hostPort: fc.constantFrom(8080, 8081),
    protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
    hostIP: fc.constantFrom(undefined, '0.0.0.0', '127.0.0.1', '198.18.0.1'),
  })
  .map(({ host, hostIP, ...port }) =>
    pod(`p${host}`, [{ containerPort: 80, ...port, ...(hostIP !== undefined && { hostIP }) }]),
  );

const randomPorts = fc.subarray([
  { port: 80 },
  { port: 81, endPort: 90 },
  { port: 53, protocol: 'UDP' },
  { protocol: 'SCTP' },
  { port: 'web' },
]);
const randomPeers = fc.subarray([
  { podSelector: {} },
  { namespaceSelector: {} },
  { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: { matchLabels: { app: 'b' } } },
  { ipBlock: { cidr: '198.18.0.0/16', except: ['198.18.1.0/24'] } },
  { ipBlock: { cidr: '198.20.1.2/32' } },
]);
/** With the pods of other nodes that its peers are. */
const randomPolicy = fc
  .record({
    name: fc.constantFrom('one', 'two'),
    types: fc.subarray(['Ingress', 'Egress'], { minLength: 1 }),
    peers: randomPeers,
    ports: randomPorts,
    members: fc.subarray(['198.19.2.7', '198.19.2.8', '198.19.3.9']),
  })
  .map(({ name, types, peers, ports, members }): KubeObject[] => {
    const policy = NetworkPolicyManifest.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'default' },
      spec: {
        policyTypes: types,
        ingress: [{ from: peers, ports }],
        egress: [{ to: peers, ports }],
      },
    });
    return [
      policy,
      ...peerGroupsOf(policy).map((group): KubeObject => ({
        apiVersion: OWN_API_VERSION,
        kind: 'PeerSlice',
        metadata: { name: `${group.name}-0`, labels: { [PEER_GROUP_LABEL]: group.name } },
        members: members.map((address) => ({ address, ...(group.port && { ports: [80, 8080] }) })),
      })),
    ];
  });

/** Every pod `pN` has the address `198.19.1.N`. */
const PODS: LocalPods = { get: (uid) => ({ address: `198.19.1.${uid.slice(1)}`, ready: true, over: false }) };

export type RandomCluster = readonly KubeObject[];

export const randomCluster: fc.Arbitrary<RandomCluster> = fc
  .record({
    services: fc.uniqueArray(randomService, { maxLength: 4, selector: ([svc]) => svc?.metadata.name }),
    pods: fc.uniqueArray(randomPod, { maxLength: 3, selector: (p) => p.metadata.name }),
    policies: fc.uniqueArray(randomPolicy, { maxLength: 2, selector: ([policy]) => policy?.metadata.name }),
    placed: fc.boolean(),
    peers: fc.subarray(['198.18.0.2', '198.18.0.3']),
  })
  .map(({ services, pods, policies, placed, peers }) => [
    cluster(),
    node('n1', '198.18.0.1', placed ? '198.19.1.0/24' : undefined),
    ...peers.map((p, i) => node(`p${p}`, p, `198.19.${i + 2}.0/24`)),
    ...services.flat(),
    ...pods,
    ...policies.flat(),
  ]);

/** Everything, as after a start. */
export function planRandom(objects: RandomCluster): ServicePlan {
  const view = new TestAssignment('n1', objects).current();
  const guards = new Guards();
  guards.change(guardScope(view), 'all');
  return { ...wholePlan({ view, pods: PODS, index: new ServiceIndex() }), guards: guards.parts };
}

/** What moving from `a` to `b` changes, by keys. */
export function planBetween(a: RandomCluster, b: RandomCluster): PlanChange {
  const keys = [...a, ...b].map((o) => objectKey(o.kind, o.metadata.namespace, o.metadata.name));
  const index = new ServiceIndex();
  index.reset(new TestAssignment('n1', a).current());
  const view = new TestAssignment('n1', b).current();
  const scope = { view, pods: PODS, index };
  const guards = new Guards();
  const before = guardScope(new TestAssignment('n1', a).current());
  guards.change(before, 'all');
  const after = guardScope(view);
  const change = guards.change(after, before.localRange === after.localRange ? new Set(keys) : 'all');
  return { ...planChange(scope, { ...touchedBy(scope, new Set(keys)), policy: true }), guards: change };
}

function guardScope(view: AssignmentView): GuardScope {
  const addresses = { podRange: '198.19.0.0/17', dns: '169.254.20.10' };
  return { view, pods: PODS, addresses, localRange: localPodRange(view) };
}
