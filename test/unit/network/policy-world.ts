/** Three namespaces with three pods each, as in Kubernetes' own tests of network policy, on one or several nodes. */
import {
  NamespaceManifest,
  NetworkPolicyManifest,
  PodManifest,
  OWN_API_VERSION,
  PEER_GROUP_LABEL,
  peerGroupsOf,
  selectorMatches,
  namespaceLabels,
  portsNamed,
  type KubeObject,
  type Namespace,
  type NetworkPolicy,
  type PeerMember,
  type PeerSlice,
  type Pod,
} from '../../../contracts/objects/index.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { Guards } from '../../../nodeagent/core/data-plane/policy/guards.ts';
import { planChange, touchedByAll } from '../../../nodeagent/core/data-plane/assemble.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { applyCommands, type NftTable } from './nft-table.ts';
import { tracePacket, type Packet } from './packet-trace.ts';
import { cluster, node, TestAssignment } from './world.ts';

export const DNS = '169.254.20.10';
export const POD_RANGE = '198.19.0.0/17';
/** Where `x/a` and so on live. */
export const HOSTS = ['n1', 'n2', 'n3'] as const;

export function policy(
  namespace: string,
  spec: Record<string, unknown>,
  name = 'policy',
  labels?: Record<string, string>,
): NetworkPolicy {
  return NetworkPolicyManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, ...(labels && { labels }) },
    spec,
  });
}

export function space(name: string, labels: Record<string, string> = {}): Namespace {
  return NamespaceManifest.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
}

export interface Placed {
  readonly pod: Pod;
  readonly address: string;
  readonly host: string;
}

const PORTS = [
  { name: 'serve-80-tcp', containerPort: 80, protocol: 'TCP' },
  { name: 'serve-80-udp', containerPort: 80, protocol: 'UDP' },
  { name: 'serve-81-tcp', containerPort: 81, protocol: 'TCP' },
  { name: 'serve-81-udp', containerPort: 81, protocol: 'UDP' },
  { name: 'serve-80-sctp', containerPort: 80, protocol: 'SCTP' },
] as const;

export function place(
  namespace: string,
  name: string,
  address: string,
  host: string,
  more: { readonly labels?: Record<string, string>; readonly ports?: readonly object[]; readonly spec?: object } = {},
): Placed {
  const { metadata, ...rest } = PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: more.labels ?? { pod: name } },
    spec: { containers: [{ name: 'c', image: 'i:1', ports: more.ports ?? PORTS }], ...more.spec },
  });
  return { pod: { ...rest, metadata: { ...metadata, uid: `${namespace}-${name}` } }, address, host };
}

/** Nine pods, three of a namespace, one of each name on each of the hosts; `together`: all on the first. */
export function ninePods(together = false): readonly Placed[] {
  return ['x', 'y', 'z'].flatMap((namespace, i) =>
    ['a', 'b', 'c'].map((name, j) => {
      const host = together ? 0 : (i + j) % 3;
      return place(namespace, name, `198.19.${host + 1}.${10 + i * 3 + j}`, HOSTS[host] ?? 'n1');
    }),
  );
}

/** What the control plane would tell of the policies' peers. */
export function slicesOf(
  policies: readonly NetworkPolicy[],
  spaces: readonly Namespace[],
  pods: readonly Placed[],
): readonly PeerSlice[] {
  const groups = new Map(policies.flatMap(peerGroupsOf).map((group) => [group.name, group]));
  const labels = new Map(spaces.map(({ metadata }) => [metadata.name, metadata.labels]));
  return [...groups.values()].map(({ name, of, pods: selector, port }) => ({
    apiVersion: OWN_API_VERSION,
    kind: 'PeerSlice',
    metadata: { name: `${name}-0`, labels: { [PEER_GROUP_LABEL]: name } },
    members: pods.flatMap(({ pod, address }): PeerMember[] => {
      const namespace = pod.metadata.namespace ?? '';
      const isThere =
        'namespace' in of
          ? of.namespace === namespace
          : selectorMatches(of.namespaces, namespaceLabels(namespace, labels.get(namespace)));
      if (!isThere || !selectorMatches(selector, pod.metadata.labels) || pod.spec.hostNetwork === true) return [];
      if (!port) return [{ address }];
      const ports = portsNamed(pod, port);
      return ports.length > 0 ? [{ address, ports }] : [];
    }),
  }));
}

export interface Scene {
  readonly policies: readonly NetworkPolicy[];
  readonly spaces: readonly Namespace[];
  readonly pods: readonly Placed[];
  /** Others that all nodes have. */
  readonly more?: readonly KubeObject[];
}

/** What a node of the scene holds. */
export function assignmentOf(scene: Scene, host: string): readonly KubeObject[] {
  return [
    cluster(),
    ...HOSTS.map((name, i) => node(name, `198.18.0.${i + 1}`, `198.19.${i + 1}.0/24`)),
    ...scene.spaces,
    ...scene.policies,
    ...slicesOf(scene.policies, scene.spaces, scene.pods),
    ...scene.pods.filter((one) => one.host === host).map(({ pod }) => pod),
    ...(scene.more ?? []),
  ];
}

/** The table of one node. */
export function tableOf(scene: Scene, host: string): NftTable {
  return applyCommands(undefined, wholeRuleset(compilePlan(planOf(scene, host))).commands);
}

/** What one node has to do. */
export function planOf(scene: Scene, host: string): ServicePlan {
  const view = new TestAssignment(host, assignmentOf(scene, host)).current();
  const pods = {
    get: (uid: string) => {
      const found = scene.pods.find(({ pod }) => pod.metadata.uid === uid);
      return found && { address: found.address, ready: true, over: false };
    },
  };
  const index = new ServiceIndex();
  const { policy: settings, forwardings } = planChange({ view, pods, index }, touchedByAll({ view, pods, index }, []));
  const guards = new Guards().change(
    {
      view,
      pods,
      addresses: { podRange: POD_RANGE, dns: DNS },
      localRange: `198.19.${HOSTS.indexOf(host as 'n1') + 1}.0/24`,
    },
    'all',
  );
  if (!settings) throw new Error('all was touched');
  return {
    policy: settings,
    forwardings,
    guards: new Map([...guards].flatMap(([name, part]) => (part ? [[name, part] as const] : []))),
  };
}

/** Sends a connection's first packet from pod to pod through both of their nodes. */
export function connector(scene: Scene): (from: Placed, packet: Omit<Packet, 'from'>) => boolean {
  const tables = new Map(HOSTS.map((host) => [host as string, tableOf(scene, host)]));
  const through = (host: string, packet: Packet): readonly string[] | undefined => {
    const table = tables.get(host);
    if (!table) throw new Error(`no host ${host}`);
    const addresses = [`198.18.0.${HOSTS.indexOf(host as 'n1') + 1}`, DNS];
    const outcome = tracePacket(table, { addresses }, packet);
    return outcome.end === 'delivered' ? outcome.to : undefined;
  };
  return (from, packet) => {
    const sent = through(from.host, { from: from.address, ...packet });
    const [reached] = sent ?? [];
    if (reached === undefined) return false;
    const [to = '', port = ''] = reached.split(':');
    const target = scene.pods.find(({ address }) => address === to);
    if (!target || target.host === from.host) return true;
    return through(target.host, { ...packet, from: from.address, to, port: Number(port) }) !== undefined;
  };
}
