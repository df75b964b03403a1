/** Source: Kubernetes documentation, "Pod Topology Spread Constraints": its clusters, its pods, its outcomes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TopologySpreadConstraint, type Node, type Pod, type Service } from '../../../contracts/objects/index.ts';
import { node, service } from '../controllers/objects.ts';
import {
  owned,
  place,
  placedOn,
  placesOf,
  podWith,
  profilesOf,
  schedulerFor,
  scores,
  verdicts,
  verdictsOn,
} from './situation.ts';

const P = 'passes';
const UNEVEN = "PodTopologySpread: node(s) didn't match pod topology spread constraints";
const NO_LABEL = `${UNEVEN} (missing required label)`;
const AFFINITY = "NodeAffinity: node(s) didn't match Pod's node affinity/selector";

const inZone = (name: string, zone?: string, extra: Parameters<typeof node>[1] = {}): Node =>
  node(name, { ...extra, labels: { node: name, ...(zone !== undefined && { zone }), ...extra.labels } });
const [node1, node2, node3, node4, node5] = [
  inZone('node1', 'A'),
  inZone('node2', 'A'),
  inZone('node3', 'B'),
  inZone('node4', 'B'),
  inZone('node5', 'C'),
] as const;
const four = [node1, node2, node3, node4];

const FOO = { foo: 'bar' };
const foo = (on: string, metadata: object = {}, labels: Record<string, string> = {}): Pod =>
  placedOn(on, { ...FOO, ...labels }, {}, metadata);
/** One on each of node1, node2 and node3. */
const three = [foo('node1'), foo('node2'), foo('node3')];

const by = (topologyKey: string, more: object = {}): object => ({
  maxSkew: 1,
  topologyKey,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: FOO },
  ...more,
});
const anyway = (topologyKey: string, more: object = {}): object =>
  by(topologyKey, { whenUnsatisfiable: 'ScheduleAnyway', ...more });
const spreading = (...topologySpreadConstraints: object[]): object => ({ topologySpreadConstraints });
const mypod = (constraints: readonly object[], spec: object = {}, labels: Record<string, string> = FOO): Pod =>
  podWith(labels, { ...spreading(...constraints), ...spec });
const zoneNot = (zone: string): object => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'NotIn', values: [zone] }] }],
      },
    },
  },
});

interface Row {
  readonly title: string;
  readonly nodes?: readonly Node[];
  readonly placed?: readonly Pod[];
  readonly pod: Pod;
  /** By node, in their order. */
  readonly says: readonly string[];
}
function table(rows: readonly Row[]): void {
  for (const { title, nodes = four, placed = three, pod, says } of rows) {
    it(title, () =>
      assert.deepEqual(
        verdicts({ nodes, pods: placed }, pod),
        Object.fromEntries(nodes.map(({ metadata }, at) => [metadata.name, says[at]])),
      ),
    );
  }
}

describe('examples of the documentation', () => {
  const conflicting = [foo('node1'), foo('node1'), foo('node2'), foo('node3'), foo('node3')];
  const both = [by('zone'), by('node')];
  const tainted = inZone('node5', 'C', { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } });
  table([
    { title: 'one constraint: only zone B', pod: mypod([by('zone')]), says: [UNEVEN, UNEVEN, P, P] },
    {
      title: 'one constraint: maxSkew 2 lets it into zone A',
      pod: mypod([by('zone', { maxSkew: 2 })]),
      says: [P, P, P, P],
    },
    { title: 'one constraint: by node, only node4', pod: mypod([by('node')]), says: [UNEVEN, UNEVEN, UNEVEN, P] },
    { title: 'one constraint: ScheduleAnyway', pod: mypod([anyway('zone')]), says: [P, P, P, P] },
    { title: 'two constraints: only node4', pod: mypod(both), says: [UNEVEN, UNEVEN, UNEVEN, P] },
    {
      title: 'conflicting constraints: nowhere',
      nodes: [node1, node2, node3],
      placed: conflicting,
      pod: mypod(both),
      says: [UNEVEN, UNEVEN, UNEVEN],
    },
    {
      title: 'conflicting constraints: a greater maxSkew',
      nodes: [node1, node2, node3],
      placed: conflicting,
      pod: mypod([by('zone', { maxSkew: 2 }), by('node')]),
      says: [UNEVEN, P, UNEVEN],
    },
    {
      title: 'conflicting constraints: one of them ScheduleAnyway',
      nodes: [node1, node2, node3],
      placed: conflicting,
      pod: mypod([by('zone'), anyway('node')]),
      says: [UNEVEN, UNEVEN, P],
    },
    {
      title: 'conflicting constraints, node1 without a zone: its pods are disregarded',
      nodes: [inZone('node1'), node2, node3],
      placed: conflicting,
      pod: mypod(both),
      says: [NO_LABEL, P, UNEVEN],
    },
    {
      title: 'a mistyped label',
      nodes: [...four, inZone('node5', undefined, { labels: { 'zone-typo': 'C' } })],
      pod: mypod([by('zone')]),
      says: [UNEVEN, UNEVEN, P, P, NO_LABEL],
    },
    {
      title: 'node affinity: zone C does not count',
      nodes: [...four, node5],
      pod: mypod([by('zone')], zoneNot('C')),
      says: [UNEVEN, UNEVEN, P, P, AFFINITY],
    },
    {
      title: 'nodeSelector is respected alike',
      nodes: [
        inZone('node1', 'A', { labels: { disk: 'ssd' } }),
        inZone('node3', 'B', { labels: { disk: 'ssd' } }),
        node5,
      ],
      placed: [foo('node1'), foo('node3')],
      pod: mypod([by('zone')], { nodeSelector: { disk: 'ssd' } }),
      says: [P, P, AFFINITY],
    },
    {
      title: 'node affinity ignored: empty zone C holds the others back',
      nodes: [...four, node5],
      pod: mypod([by('zone', { nodeAffinityPolicy: 'Ignore' })], zoneNot('C')),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, AFFINITY],
    },
    {
      title: 'taints ignored by default: the tainted zone C holds the others back',
      nodes: [...four, tainted],
      pod: mypod([by('zone')]),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, 'TaintToleration: node(s) had untolerated taint {gpu: }'],
    },
    {
      title: 'taints honoured: the tainted zone C does not count',
      nodes: [...four, tainted],
      pod: mypod([by('zone', { nodeTaintsPolicy: 'Honor' })]),
      says: [UNEVEN, UNEVEN, P, P, 'TaintToleration: node(s) had untolerated taint {gpu: }'],
    },
    {
      title: 'taints honoured, and tolerated',
      nodes: [...four, tainted],
      pod: mypod([by('zone', { nodeTaintsPolicy: 'Honor' })], { tolerations: [{ key: 'gpu', operator: 'Exists' }] }),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, P],
    },
    {
      title: 'taints honoured: PreferNoSchedule counts',
      nodes: [...four, inZone('node5', 'C', { spec: { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] } })],
      pod: mypod([by('zone', { nodeTaintsPolicy: 'Honor' })]),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, P],
    },
    {
      title: 'its labels do not match its selector: zone B, and A too, as nothing gets worse',
      pod: mypod([by('zone')], {}, {}),
      says: [P, P, P, P],
    },
    {
      title: 'its labels do not match its selector, and it is too uneven already',
      placed: [...three, foo('node1')],
      pod: mypod([by('zone')], {}, {}),
      says: [UNEVEN, UNEVEN, P, P],
    },
  ]);
});

describe('which pods count', () => {
  const away = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  table([
    {
      title: 'not those that terminate',
      placed: [foo('node1', away), foo('node2'), foo('node3')],
      pod: mypod([by('zone')]),
      says: [P, P, P, P],
    },
    {
      title: 'not those of other namespaces',
      placed: [foo('node1', { namespace: 'other' }), foo('node2'), foo('node3')],
      pod: mypod([by('zone')]),
      says: [P, P, P, P],
    },
    { title: 'none without a selector', pod: mypod([by('zone', { labelSelector: undefined })]), says: [P, P, P, P] },
    {
      title: 'all with an empty selector',
      placed: [placedOn('node1'), placedOn('node2'), placedOn('node3')],
      pod: mypod([by('zone', { labelSelector: {} })]),
      says: [UNEVEN, UNEVEN, P, P],
    },
    {
      title: 'those on tainted and cordoned nodes',
      nodes: [inZone('node1', 'A', { spec: { unschedulable: true } }), node2, node3, node4],
      pod: mypod([by('zone')]),
      says: ['NodeUnschedulable: node(s) were unschedulable', UNEVEN, P, P],
    },
    {
      title: 'matchLabelKeys: those of its revision',
      placed: [foo('node1', {}, { hash: 'old' }), foo('node2', {}, { hash: 'old' }), foo('node3', {}, { hash: 'new' })],
      pod: mypod([by('zone', { matchLabelKeys: ['hash'] })], {}, { ...FOO, hash: 'new' }),
      says: [P, P, UNEVEN, UNEVEN],
    },
    {
      title: 'matchLabelKeys: a key that it lacks is left out',
      placed: [foo('node1', {}, { hash: 'old' }), foo('node2', {}, { hash: 'old' }), foo('node3', {}, { hash: 'new' })],
      pod: mypod([by('zone', { matchLabelKeys: ['hash'] })]),
      says: [UNEVEN, UNEVEN, P, P],
    },
  ]);
  it('a pod that begins to terminate counts no more', () => {
    const scheduler = schedulerFor({ nodes: four, pods: three });
    const wanted = mypod([by('node')]);
    assert.equal(verdictsOn(scheduler, wanted).node1, UNEVEN);
    const leaving = foo('node1', { uid: three[0]?.metadata.uid, ...away });
    scheduler.cluster.setPod({
      ...leaving,
      metadata: {
        ...leaving.metadata,
        uid: `default/${three[0]?.metadata.name}`,
        resourceVersion: '2',
        generation: 1,
        creationTimestamp: '',
      },
    });
    assert.equal(verdictsOn(scheduler, wanted).node1, P);
  });
});

describe('minDomains', () => {
  const one = [foo('node1'), foo('node3')];
  table([
    {
      title: 'fewer domains than wanted: the least counts as 0',
      placed: one,
      pod: mypod([by('zone', { minDomains: 3 })]),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN],
    },
    {
      title: 'maxSkew is what a domain may hold then',
      placed: one,
      pod: mypod([by('zone', { minDomains: 3, maxSkew: 2 })]),
      says: [P, P, P, P],
    },
    {
      title: 'enough domains: no effect',
      placed: one,
      pod: mypod([by('zone', { minDomains: 2 })]),
      says: [P, P, P, P],
    },
    {
      title: 'a third domain is there now',
      nodes: [...four, node5],
      placed: one,
      pod: mypod([by('zone', { minDomains: 3 })]),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, P],
    },
    {
      title: 'a domain that node affinity excludes is not one',
      nodes: [...four, node5],
      placed: one,
      pod: mypod([by('zone', { minDomains: 3 })], zoneNot('C')),
      says: [UNEVEN, UNEVEN, UNEVEN, UNEVEN, AFFINITY],
    },
  ]);
});

describe('a rollout of equal pods', () => {
  it('fills zones and nodes by turns', () => {
    const scheduler = schedulerFor({ nodes: [...four, node5] });
    const pods = Array.from({ length: 9 }, () => mypod([by('zone'), by('node', { maxSkew: 2 })]));
    const places = placesOf(place(scheduler, ...pods));
    const perZone = ['A', 'B', 'C'].map((zone) =>
      [...four, node5]
        .filter(({ metadata }) => metadata.labels?.zone === zone)
        .reduce((sum, { metadata }) => sum + places.filter((name) => name === metadata.name).length, 0),
    );
    assert.deepEqual(perZone, [3, 3, 3]);
  });
});

/** Scores of nodes from how many pods there are in their domains, as kube-scheduler has it, without its rounding. */
function expectedScores(raw: Record<string, number | undefined>): Record<string, number> {
  const given = Object.values(raw).filter((score) => score !== undefined);
  const [min, max] = [Math.min(...given), Math.max(...given)];
  return Object.fromEntries(
    Object.entries(raw).map(([name, score]) => [
      name,
      score === undefined ? 0 : Math.round((max === 0 ? 100 : (100 * (max + min - score)) / max) * 100) / 100,
    ]),
  );
}
/** Weight of a topology with so many domains. */
const weight = (domains: number): number => Math.log(domains + 2);

describe('ScheduleAnyway', () => {
  const rows: readonly {
    title: string;
    nodes?: readonly Node[];
    placed?: readonly Pod[];
    pod: Pod;
    scores: Record<string, number>;
  }[] = [
    {
      title: 'the fewer in the domain the better',
      pod: mypod([anyway('zone')]),
      scores: { node1: 50, node2: 50, node3: 100, node4: 100 },
    },
    {
      title: 'three zones',
      nodes: [...four, node5],
      pod: mypod([anyway('zone')]),
      scores: { node1: 0, node2: 0, node3: 50, node4: 50, node5: 100 },
    },
    {
      title: 'nobody anywhere',
      placed: [],
      pod: mypod([anyway('zone')]),
      scores: { node1: 100, node2: 100, node3: 100, node4: 100 },
    },
    {
      title: 'a greater maxSkew waters the difference down',
      pod: mypod([anyway('zone', { maxSkew: 3 })]),
      scores: expectedScores({
        node1: 2 * weight(2) + 2,
        node2: 2 * weight(2) + 2,
        node3: weight(2) + 2,
        node4: weight(2) + 2,
      }),
    },
    {
      title: 'two constraints: the topology of more domains weighs more',
      pod: mypod([anyway('zone'), anyway('node')]),
      scores: expectedScores({
        node1: 2 * weight(2) + weight(4),
        node2: 2 * weight(2) + weight(4),
        node3: weight(2) + weight(4),
        node4: weight(2),
      }),
    },
    {
      title: 'a node that lacks one of the keys gets 0',
      nodes: [...four, inZone('node5')],
      pod: mypod([anyway('zone'), anyway('node')]),
      scores: expectedScores({
        node1: 2 * weight(2) + weight(4),
        node2: 2 * weight(2) + weight(4),
        node3: weight(2) + weight(4),
        node4: weight(2),
        node5: undefined,
      }),
    },
    {
      title: 'pods on a node that lacks one of the keys do not count',
      nodes: [...four, inZone('node5')],
      placed: [foo('node5'), foo('node1')],
      pod: mypod([anyway('zone')]),
      scores: { node1: 0, node2: 0, node3: 100, node4: 100, node5: 0 },
    },
    {
      title: 'no node has the key',
      nodes: [inZone('node1'), inZone('node2')],
      placed: [foo('node1')],
      pod: mypod([anyway('zone')]),
      scores: { node1: 0, node2: 0 },
    },
    { title: 'only DoNotSchedule: no scores', pod: mypod([by('zone')]), scores: {} },
    {
      title: 'nodes outside its affinity do not count',
      nodes: [...four, node5],
      placed: [foo('node1'), foo('node5'), foo('node5')],
      pod: mypod([anyway('zone')], zoneNot('C')),
      scores: { node1: 0, node2: 0, node3: 100, node4: 100 },
    },
  ];
  for (const { title, nodes = four, placed = three, pod, scores: expected } of rows)
    it(title, () => assert.deepEqual(scores({ nodes, pods: placed }, pod, 'PodTopologySpread'), expected));
});

describe('default constraints', () => {
  const ZONE = 'topology.kubernetes.io/zone';
  const wellKnown = (name: string, zone?: string): Node =>
    node(name, { labels: { ...(zone !== undefined && { [ZONE]: zone }) } });
  const nodes = [wellKnown('a1', 'a'), wellKnown('a2', 'a'), wellKnown('b1', 'b')];
  const web = service('web', { selector: { app: 'web' } });
  const list = (...defaultConstraints: object[]): object => ({
    pluginConfig: [{ name: 'PodTopologySpread', args: { defaultingType: 'List', defaultConstraints } }],
  });
  const inA1 = (metadata: object = {}): Pod => placedOn('a1', { app: 'web' }, {}, metadata);
  /** One pod of the group on a1: maxSkew 3 by host, 5 by zone. */
  const oneOnA1 = expectedScores({ a1: weight(3) + 2 + weight(2) + 4, a2: 2 + weight(2) + 4, b1: 2 + 4 });

  const rows: readonly {
    title: string;
    nodes?: readonly Node[];
    placed: readonly Pod[];
    services?: readonly Service[];
    profile?: object;
    pod: Pod;
    scores: Record<string, number>;
  }[] = [
    {
      title: 'the built-in ones: pods of one owner',
      placed: [inA1(owned('rs1'))],
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: oneOnA1,
    },
    {
      title: 'the built-in ones: pods of another owner do not count',
      placed: [inA1(owned('rs2'))],
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: {},
    },
    {
      title: 'the built-in ones: pods behind one Service',
      placed: [inA1()],
      services: [web],
      pod: podWith({ app: 'web' }),
      scores: oneOnA1,
    },
    {
      title: 'the built-in ones: behind one Service, whoever owns the others',
      placed: [inA1(owned('rs1'))],
      services: [web],
      pod: podWith({ app: 'web' }),
      scores: oneOnA1,
    },
    {
      title: 'the built-in ones: of one owner and behind one Service',
      placed: [inA1(owned('rs1')), inA1(owned('rs2'))],
      services: [web],
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: oneOnA1,
    },
    { title: 'a pod alone has none', placed: [inA1()], pod: podWith({ app: 'web' }), scores: {} },
    {
      title: 'a Service without a selector means nobody',
      placed: [inA1()],
      services: [service('ext', { selector: undefined })],
      pod: podWith({ app: 'web' }),
      scores: {},
    },
    {
      title: 'nor has a pod with constraints of its own',
      placed: [inA1(owned('rs1'))],
      pod: podWith({ app: 'web' }, spreading(by('zone')), owned('rs1')),
      nodes: nodes.map((n) => ({ ...n, metadata: { ...n.metadata, labels: { ...n.metadata.labels, zone: 'z' } } })),
      scores: {},
    },
    {
      title: 'the built-in ones: a node without a zone is still spread by host',
      nodes: [...nodes, wellKnown('none')],
      placed: [inA1(owned('rs1'))],
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: expectedScores({ a1: weight(4) + 2 + weight(2) + 4, a2: 2 + weight(2) + 4, b1: 2 + 4, none: 2 }),
    },
    {
      title: 'a list',
      placed: [inA1(owned('rs1'))],
      profile: list(anyway(ZONE, { labelSelector: undefined })),
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: { a1: 0, a2: 0, b1: 100 },
    },
    {
      title: 'a list: a node that lacks a key gets 0',
      nodes: [...nodes, wellKnown('none')],
      placed: [inA1(owned('rs1'))],
      profile: list(anyway(ZONE, { labelSelector: undefined })),
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: { a1: 0, a2: 0, b1: 100, none: 0 },
    },
    {
      title: 'an empty list turns them off',
      placed: [inA1(owned('rs1'))],
      profile: list(),
      pod: podWith({ app: 'web' }, {}, owned('rs1')),
      scores: {},
    },
  ];
  for (const { title, placed, pod, scores: expected, ...rest } of rows)
    it(title, () => assert.deepEqual(scores({ nodes, ...rest, pods: placed }, pod, 'PodTopologySpread'), expected));

  it('a list may refuse', () => {
    const profile = list(by(ZONE, { labelSelector: undefined }));
    assert.deepEqual(
      verdicts({ nodes, pods: [inA1(owned('rs1'))], profile }, podWith({ app: 'web' }, {}, owned('rs1'))),
      { a1: UNEVEN, a2: UNEVEN, b1: P },
    );
    assert.deepEqual(verdicts({ nodes, pods: [inA1(owned('rs1'))], profile }, podWith({ app: 'web' })), {
      a1: P,
      a2: P,
      b1: P,
    });
  });
  it('have no selector, and need the type List', () => {
    const problems = (args: object): readonly string[] =>
      profilesOf([{ pluginConfig: [{ name: 'PodTopologySpread', args }] }]).problems.map(({ path }) => path);
    assert.deepEqual(problems({ defaultingType: 'List', defaultConstraints: [by(ZONE)] }), [
      'profiles[0].pluginConfig[0].args.defaultConstraints.0.labelSelector',
    ]);
    assert.deepEqual(problems({ defaultConstraints: [by(ZONE, { labelSelector: undefined })] }), [
      'profiles[0].pluginConfig[0].args.defaultingType',
    ]);
  });
});

it('constraints have the defaults of Kubernetes', () => {
  const { nodeAffinityPolicy, nodeTaintsPolicy, minDomains } = TopologySpreadConstraint.parse(by('zone'));
  assert.deepEqual([nodeAffinityPolicy, nodeTaintsPolicy, minDomains], ['Honor', 'Ignore', undefined]);
});
