/**
 * Which events wake a pod that a plugin refused. Source: KEP-4247. A hint that says no when it should not leaves a pod
 * waiting.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import type { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { ClusterEvent } from '../../../reconciler/core/scheduling/cluster-event.ts';
import { node, pod, service } from '../controllers/objects.ts';
import { budget } from './preemption-cluster.ts';
import { asking, owned, placedOn, podWith, profilesOf, schedulerFor, stored } from './situation.ts';

const HOST = 'kubernetes.io/hostname';
const web = { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: HOST };
const near = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [web] } } };
const far = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [web] } } };
const spread = { topologySpreadConstraints: [{ ...web, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }] };
const onPort = (hostPort: number): object => asking({}, { ports: [{ containerPort: 80, hostPort }] });
const tainted = { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' as const }] } };

const adds =
  (given: Node) =>
  (cluster: ClusterState): void => {
    cluster.setNode(given);
  };
/** What node `n` becomes. */
const becomes = (extra: Parameters<typeof node>[1] = {}): ((cluster: ClusterState) => void) =>
  adds(node('n', { allocatable: { cpu: '1', memory: '1Gi', pods: '1' }, ...extra }));
const comes =
  (given: Pod) =>
  (cluster: ClusterState): void => {
    cluster.setPod(stored(given));
  };
const goes = (cluster: ClusterState): void => {
  cluster.removePod('there');
};
const losesNode = (cluster: ClusterState): void => {
  cluster.removeNode('n');
};

/** Node `n` is there, with a pod of these labels. */
interface Row {
  readonly plugin: string;
  readonly pod: Pod;
  readonly there?: Pod;
  readonly args?: object;
  readonly event: string;
  readonly happens: (cluster: ClusterState) => void;
  readonly hints: boolean;
}
const there = (labels: Record<string, string>, spec: object = {}, metadata: object = {}): Pod =>
  placedOn('n', labels, spec, { uid: 'there', ...metadata });

const rows: readonly Row[] = [
  {
    plugin: 'NodeUnschedulable',
    pod: pod('p'),
    event: 'a node that is not cordoned',
    happens: adds(node('m')),
    hints: true,
  },
  {
    plugin: 'NodeUnschedulable',
    pod: pod('p'),
    event: 'a node that is',
    happens: adds(node('m', { spec: { unschedulable: true } })),
    hints: false,
  },
  { plugin: 'NodeReady', pod: pod('p'), event: 'a node that is ready', happens: adds(node('m')), hints: true },
  {
    plugin: 'NodeReady',
    pod: pod('p'),
    event: 'a node that is not',
    happens: adds(node('m', { ready: 'False' })),
    hints: false,
  },
  { plugin: 'TaintToleration', pod: pod('p'), event: 'a node without taints', happens: adds(node('m')), hints: true },
  {
    plugin: 'TaintToleration',
    pod: pod('p'),
    event: 'a node with one',
    happens: adds(node('m', tainted)),
    hints: false,
  },
  {
    plugin: 'TaintToleration',
    pod: pod('p', { tolerations: [{ operator: 'Exists' }] }),
    event: 'a node with one that it tolerates',
    happens: adds(node('m', tainted)),
    hints: true,
  },
  {
    plugin: 'NodeAffinity',
    pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
    event: 'a label that it wants',
    happens: becomes({ labels: { disk: 'ssd' } }),
    hints: true,
  },
  {
    plugin: 'NodeAffinity',
    pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
    event: 'another label',
    happens: becomes({ labels: { disk: 'hdd' } }),
    hints: false,
  },

  {
    plugin: 'NodePorts',
    pod: pod('p', onPort(80)),
    there: there({}, onPort(80)),
    event: 'its port is free',
    happens: goes,
    hints: true,
  },
  {
    plugin: 'NodePorts',
    pod: pod('p', onPort(80)),
    there: there({}, onPort(81)),
    event: 'another port is free',
    happens: goes,
    hints: false,
  },
  { plugin: 'NodePorts', pod: pod('p', onPort(80)), event: 'a node', happens: adds(node('m')), hints: true },

  { plugin: 'NodeResourcesFit', pod: pod('p', asking({ cpu: '1' })), event: 'room', happens: goes, hints: true },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ cpu: '1' })),
    event: 'a pod',
    happens: comes(placedOn('n')),
    hints: false,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ cpu: '2' })),
    event: 'a node that is large enough',
    happens: adds(node('m')),
    hints: true,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ cpu: '3' })),
    event: 'a node that is too small',
    happens: adds(node('m')),
    hints: false,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ cpu: '2' })),
    event: 'a node that grew',
    happens: becomes({ allocatable: { cpu: '2', memory: '1Gi', pods: '1' } }),
    hints: true,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ 'example.com/gpu': '0' })),
    event: 'a node that lacks what it asks none of',
    happens: adds(node('m')),
    hints: true,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ 'example.com/gpu': '1' })),
    args: { ignoredResources: ['example.com/gpu'] },
    event: 'a node that lacks what is ignored',
    happens: adds(node('m')),
    hints: true,
  },

  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    event: 'a pod',
    happens: comes(placedOn('n', { app: 'web' })),
    hints: true,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    event: 'a pod of another namespace',
    happens: comes(placedOn('n', { app: 'web' }, {}, { namespace: 'other' })),
    hints: false,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    event: 'a pod that is not counted',
    happens: comes(placedOn('n', { app: 'db' })),
    hints: false,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    there: there({ app: 'web' }),
    event: 'a pod less',
    happens: goes,
    hints: true,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    there: there({ app: 'web' }),
    event: 'a pod that begins to terminate',
    happens: (cluster) => {
      cluster.terminate('there');
    },
    hints: true,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    there: there({ app: 'web' }, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    event: 'a pod that stays after all',
    happens: comes(there({ app: 'web' })),
    hints: true,
  },
  {
    plugin: 'NodeResourcesFit',
    pod: pod('p', asking({ cpu: '1' })),
    there: there({}, asking({ cpu: '1' }), { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    event: 'a pod that stays after all',
    happens: comes(there({}, asking({ cpu: '1' }))),
    hints: false,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    there: there({ app: 'db' }),
    event: 'a pod less that was not counted',
    happens: goes,
    hints: false,
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    event: 'the domain that held the others back is gone',
    happens: losesNode,
    hints: true,
  },

  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, near),
    event: 'a pod that it wants to be near',
    happens: comes(placedOn('n', { app: 'web' })),
    hints: true,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, near),
    event: 'another pod',
    happens: comes(placedOn('n', { app: 'db' })),
    hints: false,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, far),
    there: there({ app: 'web' }),
    event: 'a pod less that it wants to be far from',
    happens: goes,
    hints: true,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, far),
    there: there({ app: 'db' }),
    event: 'another pod less',
    happens: goes,
    hints: false,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, far),
    event: 'a pod that it wants to be far from',
    happens: comes(placedOn('n', { app: 'web' })),
    hints: false,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({ app: 'web' }),
    there: there({}, far),
    event: 'a pod less that wanted to be far from it',
    happens: goes,
    hints: true,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({ app: 'db' }),
    there: there({}, far),
    event: 'a pod less that wanted to be far from another',
    happens: goes,
    hints: false,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({ app: 'web' }, near),
    there: there({ app: 'web' }),
    event: 'the last of its group goes, and it may begin it anew',
    happens: goes,
    hints: true,
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, far),
    there: there({ app: 'web' }),
    event: 'the node goes with the pod',
    happens: losesNode,
    hints: true,
  },
];

type OtherKind = Extract<ClusterEvent, { type: 'Other' }>['kind'];

/** How each kind of event comes about that is no news of a pod or of a node that is there. */
const others: Readonly<Record<OtherKind, (cluster: ClusterState) => void>> = {
  Node: losesNode,
  Service: (cluster) => {
    cluster.setServices('default', [stored(service('web', { selector: { app: 'web' } }))]);
  },
  Namespace: (cluster) => {
    cluster.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } });
  },
  PodDisruptionBudget: (cluster) => {
    cluster.setBudgets('default', [budget('web', { app: 'web' }, 1)]);
  },
  PodGroup: (cluster) => {
    cluster.setPodGroup('default/gang', { minMember: 1 });
  },
  Volume: (cluster) => {
    cluster.volumesChanged();
  },
};

const spreadByDefault = {
  defaultingType: 'List',
  defaultConstraints: [{ maxSkew: 1, topologyKey: HOST, whenUnsatisfiable: 'DoNotSchedule' }],
};
const wakers: readonly {
  readonly plugin: string;
  readonly pod: Pod;
  readonly that?: string;
  readonly args?: object;
  readonly kinds: readonly OtherKind[];
}[] = [
  { plugin: 'NodeUnschedulable', pod: pod('p'), kinds: [] },
  { plugin: 'NodeReady', pod: pod('p'), kinds: [] },
  { plugin: 'TaintToleration', pod: pod('p'), kinds: [] },
  { plugin: 'NodeAffinity', pod: pod('p', { nodeSelector: { disk: 'ssd' } }), kinds: [] },
  { plugin: 'NodePorts', pod: pod('p', onPort(80)), kinds: [] },
  { plugin: 'NodeResourcesFit', pod: pod('p', asking({ cpu: '1' })), kinds: [] },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, spread),
    that: 'with constraints of its own',
    kinds: ['Node'],
  },
  {
    plugin: 'PodTopologySpread',
    pod: podWith({ app: 'web' }, {}, owned('rs')),
    that: "under the profile's constraints",
    args: spreadByDefault,
    kinds: ['Node', 'Service'],
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, near),
    that: 'that wants to be near others',
    kinds: ['Node', 'Namespace'],
  },
  {
    plugin: 'InterPodAffinity',
    pod: podWith({}, far),
    that: 'that wants to be far from others',
    kinds: ['Node', 'Namespace'],
  },
  { plugin: 'Coscheduling', pod: podWith({ 'scheduling.x-k8s.io/pod-group': 'gang' }), kinds: ['PodGroup'] },
];

/** What the plugin of the profile hints, event by event, while something happens. */
function hintsWhile(
  happens: (cluster: ClusterState) => void,
  name: string,
  wanted: Pod,
  occupant: Pod,
  args?: object,
): (boolean | undefined)[] {
  const { cluster } = schedulerFor({
    nodes: [node('n', { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } })],
    pods: [occupant],
  });
  const [profile] = profilesOf([args ? { pluginConfig: [{ name, args }] } : {}]).profiles.values();
  const plugin = [...(profile?.filters ?? []), ...(profile?.permit ?? [])].find((asked) => asked.name === name);
  const hinted: (boolean | undefined)[] = [];
  cluster.subscribe((event) => hinted.push(plugin?.hint?.(event, cluster.shape(wanted), cluster)));
  happens(cluster);
  return hinted;
}

describe('hints', () => {
  for (const {
    plugin: name,
    pod: wanted,
    there: occupant = there({}, asking({ cpu: '1' })),
    args,
    event: title,
    happens,
    hints,
  } of rows) {
    it(`${name}: ${title}`, () => {
      assert.deepEqual(hintsWhile(happens, name, wanted, occupant, args), [hints]);
    });
  }

  for (const { plugin: name, pod: wanted, that, args, kinds } of wakers) {
    it(`${name}: a pod${that === undefined ? '' : ` ${that}`} is woken by ${kinds.length === 0 ? 'none of the other kinds' : kinds.join(' and ')}`, () => {
      for (const [kind, happens] of Object.entries(others))
        assert.deepEqual(
          [kind, ...hintsWhile(happens, name, wanted, there({}), args)],
          [kind, kinds.includes(kind as OtherKind)],
        );
    });
  }
});
