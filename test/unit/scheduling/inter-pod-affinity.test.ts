/**
 * Source: Kubernetes documentation, "Inter-pod affinity and anti-affinity"; Kubernetes v1 API reference,
 * PodAffinityTerm.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { node } from '../controllers/objects.ts';
import {
  place,
  placedOn,
  placesOf,
  podWith,
  schedulerFor,
  scores,
  stored,
  verdicts,
  verdictsOn,
  type Situation,
} from './situation.ts';

const HOST = 'kubernetes.io/hostname';
const inZone = (name: string, zone?: string): Node => node(name, { labels: { ...(zone !== undefined && { zone }) } });
/** Two nodes in zone a, one in b, one without a zone. */
const nodes = [inZone('a1', 'a'), inZone('a2', 'a'), inZone('b1', 'b'), inZone('none')];

const P = 'passes';
const AFFINITY = "InterPodAffinity: node(s) didn't match pod affinity rules";
const ANTI = "InterPodAffinity: node(s) didn't match pod anti-affinity rules";
const EXISTING = "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules";

type Direction = 'podAffinity' | 'podAntiAffinity';
const term = (app: string | object, topologyKey: string, more: object = {}): object => ({
  topologyKey,
  labelSelector: typeof app === 'string' ? { matchLabels: { app } } : app,
  ...more,
});
const required = (direction: Direction, ...terms: object[]): object => ({
  affinity: { [direction]: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const near = (...terms: object[]): object => required('podAffinity', ...terms);
const far = (...terms: object[]): object => required('podAntiAffinity', ...terms);
const preferred = (direction: Direction, ...terms: [number, object][]): object => ({
  affinity: {
    [direction]: {
      preferredDuringSchedulingIgnoredDuringExecution: terms.map(([weight, podAffinityTerm]) => ({
        weight,
        podAffinityTerm,
      })),
    },
  },
});

/** What a1, a2, b1 and none say. */
function says(expected: readonly [string, string, string, string]): Record<string, string> {
  const [a1, a2, b1, none] = expected;
  return { a1, a2, b1, none };
}

interface Row {
  readonly title: string;
  readonly placed?: readonly Pod[];
  readonly namespaces?: Situation['namespaces'];
  readonly pod: Pod;
  readonly says: readonly [string, string, string, string];
}
function table(rows: readonly Row[]): void {
  for (const { title, placed = [], namespaces = {}, pod, says: expected } of rows) {
    it(title, () => assert.deepEqual(verdicts({ nodes, pods: placed, namespaces }, pod), says(expected)));
  }
}

describe('required pod affinity', () => {
  const web = podWith({ app: 'web' }, near(term('cache', 'zone')));
  table([
    {
      title: 'in the zone of a pod',
      placed: [placedOn('a1', { app: 'cache' })],
      pod: web,
      says: [P, P, AFFINITY, AFFINITY],
    },
    {
      title: 'on the host of a pod',
      placed: [placedOn('a1', { app: 'cache' })],
      pod: podWith({}, near(term('cache', HOST))),
      says: [P, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'a node without the key never matches, though the pod is there',
      placed: [placedOn('none', { app: 'cache' })],
      pod: web,
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    { title: 'nobody to be near', pod: web, says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY] },
    {
      title: 'a pod must match all terms to count for any',
      placed: [
        placedOn('a1', { app: 'cache' }),
        placedOn('a1', { tier: 'x' }),
        placedOn('b1', { app: 'cache', tier: 'x' }),
      ],
      pod: podWith({}, near(term('cache', 'zone'), term({ matchLabels: { tier: 'x' } }, HOST))),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'terms may be met by different pods, each of which matches all',
      placed: [placedOn('a1', { app: 'cache' }), placedOn('b1', { app: 'cache' })],
      pod: podWith({}, near(term('cache', 'zone'), term('cache', HOST))),
      says: [P, AFFINITY, P, AFFINITY],
    },
    {
      title: 'expressions',
      placed: [placedOn('a1', { app: 'cache' }), placedOn('b1', { app: 'db' })],
      pod: podWith(
        {},
        near(term({ matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'queue'] }] }, 'zone')),
      ),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'an empty selector means every pod',
      placed: [placedOn('b1', {})],
      pod: podWith({}, near(term({}, 'zone'))),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'no selector means no pod',
      placed: [placedOn('b1', {})],
      pod: podWith({}, near({ topologyKey: 'zone' })),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'a pod that terminates is still there',
      placed: [placedOn('a1', { app: 'cache' }, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
      pod: web,
      says: [P, P, AFFINITY, AFFINITY],
    },
  ]);
});

describe('the first pod of a group that wants to be together', () => {
  const grouped = podWith({ app: 'web' }, near(term('web', 'zone')));
  table([
    { title: 'may go wherever the key is', pod: grouped, says: [P, P, P, AFFINITY] },
    {
      title: 'not when somebody is there already',
      placed: [placedOn('b1', { app: 'web' })],
      pod: grouped,
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'a pod on a node without the key does not count',
      placed: [placedOn('none', { app: 'web' })],
      pod: grouped,
      says: [P, P, P, AFFINITY],
    },
    {
      title: 'a pod on a node that has one of two keys does',
      placed: [placedOn('none', { app: 'web' })],
      pod: podWith({ app: 'web' }, near(term('web', 'zone'), term('web', HOST))),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'not one that does not match itself',
      pod: podWith({ app: 'other' }, near(term('web', 'zone'))),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'must match all its terms',
      pod: podWith({ app: 'web' }, near(term('web', 'zone'), term('cache', 'zone'))),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'must be in a namespace that it means',
      pod: podWith({ app: 'web' }, near(term('web', 'zone', { namespaces: ['other'] }))),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'in the other namespace a pod of the group is not there',
      placed: [placedOn('b1', { app: 'web' }, {}, { namespace: 'other' })],
      pod: grouped,
      says: [P, P, P, AFFINITY],
    },
  ]);
  it('the others follow it', () => {
    const scheduler = schedulerFor({ nodes });
    const [first, ...rest] = placesOf(
      place(scheduler, ...Array.from({ length: 4 }, () => podWith({ app: 'web' }, near(term('web', HOST))))),
    );
    assert.deepEqual(rest, [first, first, first]);
  });
});

describe('required pod anti-affinity', () => {
  table([
    {
      title: 'by zone',
      placed: [placedOn('a1', { app: 'web' })],
      pod: podWith({}, far(term('web', 'zone'))),
      says: [ANTI, ANTI, P, P],
    },
    {
      title: 'by host',
      placed: [placedOn('a1', { app: 'web' })],
      pod: podWith({}, far(term('web', HOST))),
      says: [ANTI, P, P, P],
    },
    {
      title: 'a node without the key passes, whoever is on it',
      placed: [placedOn('none', { app: 'web' })],
      pod: podWith({}, far(term('web', 'zone'))),
      says: [P, P, P, P],
    },
    {
      title: 'one term is enough to refuse',
      placed: [placedOn('a1', { app: 'web' }), placedOn('b1', { app: 'db' })],
      pod: podWith({}, far(term('web', HOST), term('db', 'zone'))),
      says: [ANTI, P, ANTI, P],
    },
    {
      title: 'its own labels do not matter while it is nowhere',
      pod: podWith({ app: 'web' }, far(term('web', 'zone'))),
      says: [P, P, P, P],
    },
    {
      title: 'affinity is told first',
      placed: [placedOn('a1', { app: 'web' })],
      pod: podWith(
        {},
        {
          affinity: {
            podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('db', 'zone')] },
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('web', 'zone')] },
          },
        },
      ),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
  ]);
  it('one pod for each host, then no more', () => {
    const scheduler = schedulerFor({ nodes: nodes.slice(0, 3) });
    const pods = Array.from({ length: 4 }, () => podWith({ app: 'web' }, far(term('web', HOST))));
    const places = placesOf(place(scheduler, ...pods));
    assert.deepEqual([...new Set(places)].length, 4);
    assert.equal(places[3], undefined);
  });
});

describe('anti-affinity of pods that are there', () => {
  const loner = (on: string, key: string, metadata: object = {}, more: object = {}): Pod =>
    placedOn(on, { app: 'loner' }, far(term('web', key, more)), metadata);
  table([
    {
      title: 'keeps others out of its zone',
      placed: [loner('a1', 'zone')],
      pod: podWith({ app: 'web' }),
      says: [EXISTING, EXISTING, P, P],
    },
    {
      title: 'keeps others off its host',
      placed: [loner('a1', HOST)],
      pod: podWith({ app: 'web' }),
      says: [EXISTING, P, P, P],
    },
    { title: 'does not mind others', placed: [loner('a1', 'zone')], pod: podWith({ app: 'db' }), says: [P, P, P, P] },
    {
      title: 'on a node without the key keeps nobody out',
      placed: [loner('none', 'zone')],
      pod: podWith({ app: 'web' }),
      says: [P, P, P, P],
    },
    {
      title: 'means its own namespace, not that of the incoming pod',
      placed: [loner('a1', 'zone', { namespace: 'other' })],
      pod: podWith({ app: 'web' }),
      says: [P, P, P, P],
    },
    {
      title: 'by the names of namespaces',
      placed: [loner('a1', 'zone', { namespace: 'other' }, { namespaces: ['default'] })],
      pod: podWith({ app: 'web' }),
      says: [EXISTING, EXISTING, P, P],
    },
    {
      title: 'by the labels of namespaces',
      placed: [loner('a1', 'zone', { namespace: 'other' }, { namespaceSelector: { matchLabels: { team: 'red' } } })],
      namespaces: { default: { team: 'red' } },
      pod: podWith({ app: 'web' }),
      says: [EXISTING, EXISTING, P, P],
    },
    {
      title: 'only the preferred kind keeps nobody out',
      placed: [placedOn('a1', {}, preferred('podAntiAffinity', [100, term('web', 'zone')]))],
      pod: podWith({ app: 'web' }),
      says: [P, P, P, P],
    },
    {
      title: 'required affinity of others keeps nobody out',
      placed: [placedOn('a1', { app: 'web' }, near(term('web', 'zone')))],
      pod: podWith({ app: 'db' }),
      says: [P, P, P, P],
    },
    {
      title: 'its own is told before theirs',
      placed: [loner('a1', HOST)],
      pod: podWith({ app: 'web' }, far(term('loner', 'zone'))),
      says: [ANTI, ANTI, P, P],
    },
  ]);
  it('is told of by the first of the keys, whoever came first', () => {
    const pods = [loner('a1', 'zone'), loner('a1', HOST)];
    const details = [pods, [...pods].reverse()].map(
      (placed) =>
        schedulerFor({ nodes: nodes.slice(0, 1), pods: placed }).refusal(stored(podWith({ app: 'web' }))).verdicts[0]
          ?.reasons,
    );
    assert.deepEqual(
      details,
      Array.from({ length: 2 }, () => [
        {
          reason: "node(s) didn't satisfy existing pods anti-affinity rules",
          detail: '1 pod(s) in this kubernetes.io/hostname must be far from it',
        },
      ]),
    );
  });
  it('ends when the pod goes', () => {
    const scheduler = schedulerFor({ nodes, pods: [loner('a1', 'zone', { uid: 'loner' })] });
    const web = podWith({ app: 'web' });
    assert.deepEqual(verdictsOn(scheduler, web), says([EXISTING, EXISTING, P, P]));
    scheduler.cluster.removePod('loner');
    assert.deepEqual(verdictsOn(scheduler, web), says([P, P, P, P]));
  });
});

describe('namespaces of a term', () => {
  const namespaces = { default: {}, red1: { team: 'red' }, red2: { team: 'red' }, blue: { team: 'blue' } };
  const placed = [
    placedOn('a1', { app: 'web' }, {}, { namespace: 'red1' }),
    placedOn('b1', { app: 'web' }, {}, { namespace: 'blue' }),
  ];
  const nearWeb = (more: object): Pod => podWith({}, near(term('web', HOST, more)));
  table([
    {
      title: 'neither names nor a selector: its own',
      namespaces,
      placed: [...placed, placedOn('a2', { app: 'web' })],
      pod: nearWeb({}),
      says: [AFFINITY, P, AFFINITY, AFFINITY],
    },
    {
      title: 'names',
      namespaces,
      placed,
      pod: nearWeb({ namespaces: ['blue', 'red2'] }),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'names do not add its own',
      namespaces,
      placed: [placedOn('a2', { app: 'web' })],
      pod: nearWeb({ namespaces: ['blue'] }),
      says: [AFFINITY, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'an empty list of names: its own',
      namespaces,
      placed: [placedOn('a2', { app: 'web' })],
      pod: nearWeb({ namespaces: [] }),
      says: [AFFINITY, P, AFFINITY, AFFINITY],
    },
    {
      title: 'a selector',
      namespaces,
      placed,
      pod: nearWeb({ namespaceSelector: { matchLabels: { team: 'red' } } }),
      says: [P, AFFINITY, AFFINITY, AFFINITY],
    },
    {
      title: 'an empty selector: all',
      namespaces,
      placed: [...placed, placedOn('a2', { app: 'web' })],
      pod: nearWeb({ namespaceSelector: {} }),
      says: [P, P, P, AFFINITY],
    },
    {
      title: 'names and a selector: either',
      namespaces,
      placed,
      pod: nearWeb({ namespaces: ['blue'], namespaceSelector: { matchLabels: { team: 'red' } } }),
      says: [P, AFFINITY, P, AFFINITY],
    },
    {
      title: 'by the label that every namespace has',
      namespaces,
      placed,
      pod: nearWeb({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'blue' } } }),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
  ]);
  it('follow when a namespace gets other labels', () => {
    const scheduler = schedulerFor({ nodes, pods: placed, namespaces });
    const wanted = nearWeb({ namespaceSelector: { matchLabels: { team: 'red' } } });
    assert.deepEqual(verdictsOn(scheduler, wanted), says([P, AFFINITY, AFFINITY, AFFINITY]));
    scheduler.cluster.setNamespace({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'blue', labels: { team: 'red' } },
    });
    assert.deepEqual(verdictsOn(scheduler, wanted), says([P, AFFINITY, P, AFFINITY]));
  });
});

describe('matchLabelKeys and mismatchLabelKeys', () => {
  const placed = [placedOn('a1', { app: 'web', hash: '1' }), placedOn('b1', { app: 'web', hash: '2' })];
  table([
    {
      title: 'only pods of the same revision',
      placed,
      pod: podWith({ app: 'web', hash: '2' }, near(term('web', HOST, { matchLabelKeys: ['hash'] }))),
      says: [AFFINITY, AFFINITY, P, AFFINITY],
    },
    {
      title: 'a key that the pod lacks is left out',
      placed,
      pod: podWith({ app: 'web' }, near(term('web', HOST, { matchLabelKeys: ['hash'] }))),
      says: [P, AFFINITY, P, AFFINITY],
    },
    {
      title: 'the first of its revision',
      placed,
      pod: podWith({ app: 'web', hash: '3' }, near(term('web', 'zone', { matchLabelKeys: ['hash'] }))),
      says: [P, P, P, AFFINITY],
    },
    {
      title: 'only pods of other tenants',
      placed,
      pod: podWith({ app: 'web', hash: '2' }, far(term('web', HOST, { mismatchLabelKeys: ['hash'] }))),
      says: [ANTI, P, P, P],
    },
    {
      title: 'pods without the label are of another tenant; Exists keeps them out',
      placed: [...placed, placedOn('a2', {})],
      pod: podWith(
        { hash: '2' },
        far(term({ matchExpressions: [{ key: 'hash', operator: 'Exists' }] }, HOST, { mismatchLabelKeys: ['hash'] })),
      ),
      says: [ANTI, P, P, P],
    },
    {
      title: 'of a pod that is there: its own values count',
      placed: [
        placedOn(
          'a1',
          { tenant: 'x' },
          far(
            term({ matchExpressions: [{ key: 'tenant', operator: 'Exists' }] }, 'zone', {
              mismatchLabelKeys: ['tenant'],
            }),
          ),
        ),
      ],
      pod: podWith({ tenant: 'y' }),
      says: [EXISTING, EXISTING, P, P],
    },
    {
      title: 'of a pod that is there: the same tenant is welcome',
      placed: [
        placedOn(
          'a1',
          { tenant: 'x' },
          far(
            term({ matchExpressions: [{ key: 'tenant', operator: 'Exists' }] }, 'zone', {
              mismatchLabelKeys: ['tenant'],
            }),
          ),
        ),
      ],
      pod: podWith({ tenant: 'x' }),
      says: [P, P, P, P],
    },
  ]);
});

describe('preferences', () => {
  const rows: readonly {
    title: string;
    placed: readonly Pod[];
    pod: Pod;
    profile?: object;
    scores: Record<string, number>;
  }[] = [
    {
      title: 'of the pod: near',
      placed: [placedOn('a1', { app: 'cache' })],
      pod: podWith({}, preferred('podAffinity', [10, term('cache', 'zone')])),
      scores: { a1: 100, a2: 100, b1: 0, none: 0 },
    },
    {
      title: 'weights and pods add up',
      placed: [placedOn('a1', { app: 'cache' }), placedOn('b1', { app: 'cache' }), placedOn('b1', { app: 'cache' })],
      pod: podWith({}, preferred('podAffinity', [10, term('cache', 'zone')], [20, term('cache', HOST)])),
      scores: { a1: 50, a2: 16.67, b1: 100, none: 0 },
    },
    {
      title: 'of the pod: far',
      placed: [placedOn('a1', { app: 'cache' })],
      pod: podWith({}, preferred('podAntiAffinity', [10, term('cache', HOST)])),
      scores: { a1: 0, a2: 100, b1: 100, none: 100 },
    },
    {
      title: 'of pods that are there: near',
      placed: [placedOn('a1', {}, preferred('podAffinity', [10, term('web', 'zone')]))],
      pod: podWith({ app: 'web' }),
      scores: { a1: 100, a2: 100, b1: 0, none: 0 },
    },
    {
      title: 'of pods that are there: far',
      placed: [placedOn('a1', {}, preferred('podAntiAffinity', [10, term('web', HOST)]))],
      pod: podWith({ app: 'web' }),
      scores: { a1: 0, a2: 100, b1: 100, none: 100 },
    },
    {
      title: 'required affinity of pods that are there counts 1',
      placed: [
        placedOn('a1', {}, near(term('web', 'zone'))),
        placedOn('b1', {}, preferred('podAffinity', [4, term('web', 'zone')])),
      ],
      pod: podWith({ app: 'web' }),
      scores: { a1: 25, a2: 25, b1: 100, none: 0 },
    },
    {
      title: 'or what the profile says',
      placed: [
        placedOn('a1', {}, near(term('web', 'zone'))),
        placedOn('b1', {}, preferred('podAffinity', [4, term('web', 'zone')])),
      ],
      pod: podWith({ app: 'web' }),
      profile: { pluginConfig: [{ name: 'InterPodAffinity', args: { hardPodAffinityWeight: 8 } }] },
      scores: { a1: 100, a2: 100, b1: 50, none: 0 },
    },
    {
      title: 'or nothing',
      placed: [placedOn('a1', {}, near(term('web', 'zone')))],
      pod: podWith({ app: 'web' }),
      profile: { pluginConfig: [{ name: 'InterPodAffinity', args: { hardPodAffinityWeight: 0 } }] },
      scores: {},
    },
    {
      title: 'nobody whom it concerns',
      placed: [placedOn('a1', { app: 'cache' })],
      pod: podWith({}, preferred('podAffinity', [10, term('db', 'zone')])),
      scores: {},
    },
    {
      title: 'theirs may be ignored for pods that have none',
      placed: [
        placedOn('a1', {}, preferred('podAffinity', [10, term('web', 'zone')])),
        placedOn('b1', {}, near(term('web', 'zone'))),
      ],
      pod: podWith({ app: 'web' }),
      profile: { pluginConfig: [{ name: 'InterPodAffinity', args: { ignorePreferredTermsOfExistingPods: true } }] },
      scores: {},
    },
    {
      title: 'theirs count for pods that have some, even then',
      placed: [placedOn('a1', {}, preferred('podAffinity', [10, term('web', 'zone')]))],
      pod: podWith({ app: 'web' }, preferred('podAffinity', [1, term('db', 'zone')])),
      profile: { pluginConfig: [{ name: 'InterPodAffinity', args: { ignorePreferredTermsOfExistingPods: true } }] },
      scores: { a1: 100, a2: 100, b1: 0, none: 0 },
    },
  ];
  for (const { title, placed, pod, profile, scores: expected } of rows) {
    it(title, () =>
      assert.deepEqual(scores({ nodes, pods: placed, ...(profile && { profile }) }, pod, 'InterPodAffinity'), expected),
    );
  }
});
