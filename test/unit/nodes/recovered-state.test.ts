import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ALL_KINDS,
  keyOf,
  objectKey,
  type KubeObject,
  type Pod,
  type PodTemplateSpec,
} from '../../../contracts/objects/index.ts';
import { Claim, type PodReport } from '../../../contracts/agent/index.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import {
  recovering,
  recoverState,
  type RecoveredState,
  type RecoveryInput,
} from '../../../reconciler/core/nodes/recovered-state.ts';
import { unexplainedIn } from '../../../reconciler/core/nodes/claim-sorting.ts';
import type { NodeWord } from '../../../reconciler/core/nodes/node-word.ts';
import { DESCRIPTORS } from '../../../reconciler/core/kinds/index.ts';
import { templateHash } from '../../../reconciler/core/workloads/template.ts';
import { planCollection } from '../../../reconciler/core/workloads/collection.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { UNHEARD_ANNOTATION } from '../../../reconciler/core/workloads/unheard.ts';
import { cluster, deployment, machine, pod, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { EXAMPLES } from '../kinds/examples.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const web = deployment();
const state = (...objects: readonly KubeObject[]): DesiredState =>
  new Map(
    objects.map((object) => [
      keyOf(object),
      { key: keyOf(object), object, written: { ...object }, position: { file: 'all.yaml', line: 1, column: 1 } },
    ]),
  );
const IN_GIT = state(cluster(), web, service('web'), service('shop', { type: 'NodePort' }));

/** A pod of a Deployment's template as its node holds it. */
function claimed(
  name: string,
  node: string,
  {
    template = web.spec.template,
    owner = 'web',
    hash = templateHash(template),
    spec = {},
    ending = false,
    created = '2026-02-01T00:00:00Z',
  }: {
    template?: PodTemplateSpec;
    owner?: string;
    hash?: string;
    spec?: object;
    ending?: boolean;
    created?: string;
  } = {},
): Claim {
  return Claim.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: created,
      labels: { ...template.metadata.labels, 'pod-template-hash': hash },
      resourceVersion: '12',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${owner}-${hash}`, uid: 'what-it-was', controller: true },
      ],
      ...(ending && { deletionTimestamp: '2026-03-01T12:00:20Z', deletionGracePeriodSeconds: 30 }),
    },
    spec: { ...template.spec, ...spec, nodeName: node },
  });
}
const node = (name: string, podCIDR: string, address?: string): Claim =>
  Claim.parse({
    kind: 'Node',
    metadata: { name, uid: 'u' },
    spec: { podCIDR },
    ...(address !== undefined && { status: { addresses: [{ type: 'InternalIP', address }] } }),
  });
const addresses = (name: string, clusterIP: string, nodePort?: number): Claim =>
  Claim.parse({
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIP, ports: [{ port: 80, protocol: 'TCP', nodePort }] },
  });
const running = (name: string, podIP: string): PodReport => ({
  namespace: 'default',
  name,
  uid: `uid-${name}`,
  gone: false,
  status: { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] },
});
const word = (name: string, claims: readonly Claim[], pods: readonly PodReport[] = []): NodeWord => ({
  node: name,
  claims,
  pods,
});

function recovered(
  words: readonly NodeWord[],
  {
    applied = IN_GIT,
    silent = [],
    templates = [web.spec.template],
  }: { applied?: DesiredState; silent?: readonly string[]; templates?: readonly PodTemplateSpec[] } = {},
): RecoveredState {
  return recoverState(inputOf(words, { applied, silent, templates }));
}

function inputOf(
  words: readonly NodeWord[],
  more: {
    readonly applied: DesiredState;
    readonly silent: readonly string[];
    readonly templates: readonly PodTemplateSpec[];
  },
): RecoveryInput {
  const { applied, silent, templates } = more;
  return {
    words,
    silent,
    machines: ['a', 'b', 'c'].map((name) => machine(name, { maxPods: 20 })),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied,
    templates: new Map([[objectKey('Deployment', 'default', 'web'), templates]]),
    incarnation: 'i',
    now: NOW,
  };
}
const pods = ({ objects }: RecoveredState): Pod[] => objects.filter((object) => object.kind === 'Pod');
const names = (result: RecoveredState): string[] =>
  pods(result)
    .map(({ metadata }) => metadata.name)
    .sort();
const sets = ({ objects }: RecoveredState) => objects.filter((object) => object.kind === 'ReplicaSet');

describe('kinds that are rebuilt from Git', () => {
  for (const kind of ALL_KINDS) {
    const { recovery } = DESCRIPTORS[kind];
    if (typeof recovery === 'string' || recovery.from !== 'git') continue;
    it(`${kind} has its uid before the first sync, and the same one when the recovery is made again`, () => {
      const key = keyOf(EXAMPLES[kind]);
      const uids = [1, 2].map(
        () =>
          recovered([], { applied: state(EXAMPLES[kind]) }).objects.find((object) => keyOf(object) === key)?.metadata
            .uid,
      );
      assert.equal(typeof uids[0], 'string');
      assert.equal(uids[0], uids[1]);
    });
  }

  it('an owner comes before what it owns', () => {
    const kinds = recovered([], { applied: state(...Object.values(EXAMPLES)) }).objects.map(({ kind }) => kind);
    const places = kinds.map((kind) => {
      const { recovery } = DESCRIPTORS[kind];
      return typeof recovery === 'string' ? -1 : recovery.order;
    });
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.ok(kinds.indexOf('Deployment') < kinds.lastIndexOf('ReplicaSet'));
  });
});

describe('the state after the store was lost', () => {
  const ranges = [
    node('a', '10.244.0.0/24', '198.18.0.2'),
    node('b', '10.244.1.0/24', '198.18.0.3'),
    node('c', '10.244.2.0/24', '198.18.0.4'),
  ];
  const honest = [
    word(
      'a',
      [...ranges, claimed('p1', 'a'), addresses('web', '10.96.0.7'), addresses('shop', '10.96.0.8', 30080)],
      [running('p1', '10.244.0.5')],
    ),
    word(
      'b',
      [...ranges, claimed('p2', 'b'), addresses('web', '10.96.0.7'), addresses('shop', '10.96.0.8', 30080)],
      [running('p2', '10.244.1.5')],
    ),
    word(
      'c',
      [...ranges, claimed('p3', 'c'), addresses('web', '10.96.0.7'), addresses('shop', '10.96.0.8', 30080)],
      [running('p3', '10.244.2.5')],
    ),
  ];

  /** What the garbage collector would make of the objects, kind by kind. */
  const collected = (objects: readonly KubeObject[]): string[] => {
    const w = new World();
    for (const object of objects) w.put(object);
    return [...w.objects.values()].flatMap((object) =>
      planCollection(object, w, []).steps.length > 0 ? [keyOf(object)] : [],
    );
  };

  it('has every owner under the uid that its dependents name: nothing of it is garbage', () => {
    const { objects } = recovered(honest);
    assert.ok(objects.some(({ metadata }) => metadata.ownerReferences !== undefined));
    assert.deepEqual(collected(objects), []);
  });

  it('would lose its pods to the garbage collector if an owner had got a new uid', () => {
    const { objects } = recovered(honest);
    const reborn = objects.map((object) =>
      object.kind === 'ReplicaSet' ? { ...object, metadata: { ...object.metadata, uid: 'a-new-one' } } : object,
    );
    assert.deepEqual(
      collected(reborn).sort(),
      ['p1', 'p2', 'p3'].map((name) => objectKey('Pod', 'default', name)),
    );
  });

  it('is what it was: the same pods under their uids, owned, with their endpoints, addresses, ranges', () => {
    const result = recovered(honest);
    assert.deepEqual(result.refused, []);
    assert.deepEqual(names(result), ['p1', 'p2', 'p3']);
    const [set] = sets(result);
    const owner = result.objects.find((object) => object.kind === 'Deployment');
    assert.equal(set?.metadata.name, `web-${templateHash(web.spec.template)}`);
    assert.equal(set.spec.replicas, 3);
    assert.equal(set.metadata.ownerReferences?.[0]?.uid, owner?.metadata.uid);
    for (const one of pods(result)) {
      assert.equal(one.metadata.uid, `uid-${one.metadata.name}`);
      assert.equal(one.metadata.ownerReferences?.[0]?.uid, set.metadata.uid);
      assert.equal(one.status?.phase, 'Running');
    }
    const slice = result.objects.find(
      (object) => object.kind === 'EndpointSlice' && object.metadata.labels?.['kubernetes.io/service-name'] === 'web',
    );
    assert.ok(slice?.kind === 'EndpointSlice');
    assert.deepEqual(
      slice.endpoints.map(({ addresses: [ip], conditions }) => [ip, conditions.ready]),
      [
        ['10.244.0.5', true],
        ['10.244.1.5', true],
        ['10.244.2.5', true],
      ],
    );
    const given = result.objects.flatMap((object) =>
      object.kind === 'Service'
        ? [
            [
              object.metadata.name,
              object.spec.clusterIP,
              object.spec.ports[0]?.nodePort,
              object.metadata.annotations?.['plumbline.dev/allocated'],
            ],
          ]
        : [],
    );
    assert.deepEqual(given.sort(), [
      ['shop', '10.96.0.8', 30080, 'clusterIP=10.96.0.8 TCP/80=30080'],
      ['web', '10.96.0.7', undefined, 'clusterIP=10.96.0.7'],
    ]);
    assert.deepEqual(
      result.objects.flatMap((object) =>
        object.kind === 'Node'
          ? [[object.metadata.name, object.spec.podCIDR, object.status?.addresses?.[0]?.address]]
          : [],
      ),
      [
        ['a', '10.244.0.0/24', '198.18.0.2'],
        ['b', '10.244.1.0/24', '198.18.0.3'],
        ['c', '10.244.2.0/24', '198.18.0.4'],
      ],
    );
    assert.equal(
      result.objects.some(({ kind }) => kind === 'ConfigMap' || kind === 'Secret' || kind === 'Machine'),
      false,
    );
  });

  it('has every pod that runs, however many the node evicted before them', () => {
    const evicted = (name: string): PodReport => ({
      namespace: 'default',
      name,
      uid: `uid-${name}`,
      gone: false,
      status: { phase: 'Failed', reason: 'Evicted' },
    });
    const old = ['e1', 'e2', 'e3', 'e4', 'e5'];
    const result = recovered([
      word(
        'a',
        [
          node('a', '10.244.0.0/24'),
          ...old.map((name) => claimed(name, 'a', { created: '2026-01-01T00:00:00Z' })),
          claimed('p1', 'a'),
        ],
        [...old.map(evicted), running('p1', '10.244.0.5')],
      ),
      word(
        'b',
        [node('b', '10.244.1.0/24'), claimed('p2', 'b'), claimed('p3', 'b')],
        [running('p2', '10.244.1.5'), running('p3', '10.244.1.6')],
      ),
    ]);
    // One more than the three, as many as the Deployment may have at all.
    assert.deepEqual(names(result), ['e1', 'p1', 'p2', 'p3']);
    assert.equal(sets(result)[0]?.spec.replicas, 3);
  });

  it('is the same when it is made twice', () => assert.deepEqual(recovered(honest), recovered(honest)));

  const evil = deployment({}, 'evil:v1').spec.template;
  const privileged = {
    containers: web.spec.template.spec.containers.map((container) => ({
      ...container,
      securityContext: { privileged: true },
    })),
  };
  const lies: readonly (readonly [string, readonly Claim[]])[] = [
    ['a pod of a Deployment that is in no Git', [claimed('x', 'c', { owner: 'miner' })]],
    ['a pod of a template that is in no Git', [claimed('x', 'c', { template: evil })]],
    ['a pod that is privileged where Git is not', [claimed('x', 'c', { spec: privileged })]],
    ['a pod of another node', [claimed('x', 'a')]],
    [
      'a pod without an owner that is in no Git',
      [
        Claim.parse({
          ...pod('x', { nodeName: 'c' }),
          metadata: { name: 'x', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
        }),
      ],
    ],
    [
      'a pod under the uid of another',
      [{ ...claimed('x', 'c'), metadata: { ...claimed('x', 'c').metadata, uid: 'uid-p1' } } as Claim],
    ],
    ['a second ReplicaSet of the template', [claimed('x', 'c', { hash: 'bcdfg', created: '2020-01-01T00:00:00Z' })]],
  ];
  for (const [what, claims] of lies) {
    it(`does not follow ${what}`, () => {
      const result = recovered([
        honest[0]!,
        honest[1]!,
        word('c', [...ranges, ...claims], [running('x', '10.244.2.9')]),
      ]);
      assert.deepEqual(names(result), ['p1', 'p2']);
      assert.equal(result.refused.length, 1);
      assert.equal(sets(result).length, 1);
      assert.deepEqual(
        new Set(pods(result).map(({ spec }) => JSON.stringify({ ...spec, nodeName: undefined }))),
        new Set([JSON.stringify({ ...web.spec.template.spec, serviceAccountName: 'default' })]),
      );
    });
  }

  it('takes no object of a kind that a node does not own, whatever it sends', () => {
    for (const kind of [
      'Deployment',
      'ReplicaSet',
      'Secret',
      'ConfigMap',
      'EndpointSlice',
      'Machine',
      'Cluster',
      'Namespace',
    ])
      assert.equal(
        Claim.safeParse({ kind, metadata: { name: 'x', namespace: 'default', uid: 'u' }, spec: {} }).success,
        false,
        kind,
      );
  });

  it('shares the places of a Deployment out: many claims of one node push out none of the others', () => {
    const many = Array.from({ length: 15 }, (_, i) => claimed(`x${i}`, 'a', { created: '2020-01-01T00:00:00Z' }));
    const result = recovered([word('a', [...ranges, ...many]), honest[1]!, honest[2]!]);
    assert.deepEqual(
      names(result).filter((name) => name.startsWith('p')),
      ['p2', 'p3'],
    );
    assert.equal(names(result).length, 4, 'replicas and surge');
  });

  it('follows a rollout that stands in the middle, with what Git said before', () => {
    const before = deployment({}, 'app:v0').spec.template;
    const result = recovered(
      [
        word('a', [...ranges, claimed('old1', 'a', { template: before })]),
        word('b', [...ranges, claimed('old2', 'b', { template: before })]),
        word('c', [...ranges, claimed('new', 'c')]),
      ],
      { templates: [web.spec.template, before] },
    );
    assert.deepEqual(names(result), ['new', 'old1', 'old2']);
    assert.deepEqual(
      sets(result)
        .map(({ spec, metadata }) => [metadata.name, spec.replicas])
        .sort(),
      [
        [`web-${templateHash(before)}`, 2],
        [`web-${templateHash(web.spec.template)}`, 1],
      ].sort(),
    );
  });

  it('has finalizers of a template on its pods, of which nodes tell nothing', () => {
    const template = {
      ...web.spec.template,
      metadata: { ...web.spec.template.metadata, finalizers: ['example.com/x'] },
    };
    const held = { ...web, spec: { ...web.spec, template } };
    const result = recovered([word('a', [...ranges, claimed('p1', 'a', { template })])], {
      applied: state(cluster(), held, service('web'), service('shop', { type: 'NodePort' })),
      templates: [template],
    });
    assert.deepEqual(
      pods(result).map(({ metadata }) => [metadata.name, metadata.finalizers]),
      [['p1', ['example.com/x']]],
    );
  });

  it('is rebuilt step by step: of more pods there are more places to rest', () => {
    const rests = (count: number): number => {
      const claims = Array.from({ length: count }, (_, i) => claimed(`p${i}`, 'a', { template: web.spec.template }));
      const templates = [web.spec.template];
      const work = recovering(inputOf([word('a', claims)], { applied: IN_GIT, silent: [], templates }));
      let steps = 0;
      while (!work.next().done) steps += 1;
      return steps;
    };
    // As they are sorted to what owns them, as they are made, and as they are held against the Services.
    assert.ok(rests(100) - rests(50) >= 50);
  });

  it('asks Git for older templates exactly while a pod of a known workload has none', () => {
    const key = objectKey('Deployment', 'default', 'web');
    const words = [word('a', [claimed('p', 'a', { template: evil }), claimed('q', 'a', { owner: 'unknown' })])];
    const isUnexplained = (...templates: readonly PodTemplateSpec[]): boolean =>
      finish(finish(unexplainedIn(words, IN_GIT))(new Map(templates.length > 0 ? [[key, templates]] : [])));
    assert.equal(isUnexplained(web.spec.template), true);
    assert.equal(isUnexplained(web.spec.template, evil), false);
    assert.equal(isUnexplained(), false);
  });

  it('keeps the name that a ReplicaSet has where all nodes tell another than its template gives now', () => {
    const result = recovered([
      word('a', [...ranges, claimed('p1', 'a', { hash: 'bcdfg' })]),
      word('b', [...ranges, claimed('p2', 'b', { hash: 'bcdfg' })]),
    ]);
    assert.deepEqual(
      sets(result).map(({ metadata }) => metadata.name),
      ['web-bcdfg'],
    );
    assert.deepEqual(names(result), ['p1', 'p2']);
  });

  it('says of a ReplicaSet how many of its pods may be on nodes that did not answer', () => {
    const result = recovered([honest[0]!], { silent: ['b', 'c'] });
    assert.deepEqual(
      sets(result).map(({ spec, metadata }) => [spec.replicas, metadata.annotations?.[UNHEARD_ANNOTATION]]),
      [[3, '2']],
    );
    assert.deepEqual(
      result.objects.flatMap((object) =>
        object.kind === 'Node' ? [[object.metadata.name, object.status?.conditions?.[0]?.reason]] : [],
      ),
      [
        ['a', undefined],
        ['b', 'InventoryPending'],
        ['c', 'InventoryPending'],
      ],
    );
    const unheard = recovered([], { silent: ['a', 'b', 'c'] });
    assert.deepEqual(
      sets(unheard).map(({ spec, metadata }) => [spec.replicas, metadata.annotations?.[UNHEARD_ANNOTATION]]),
      [[3, '3']],
    );
  });

  it('bounds what a node says of its own pods', () => {
    const result = recovered([
      word(
        'a',
        [...ranges, claimed('p1', 'a', { ending: true, created: '2099-01-01T00:00:00Z' })],
        [running('p1', '10.244.1.5')],
      ),
    ]);
    const [one] = pods(result);
    assert.equal(one?.status?.podIP, undefined, "of another node's range");
    assert.equal(one?.metadata.creationTimestamp, NOW.toISOString());
    assert.equal(one?.metadata.deletionTimestamp, '2026-03-01T12:00:20.000Z');
  });

  const votes: readonly (readonly [
    string,
    readonly (readonly Claim[])[],
    readonly (readonly [string, string | undefined])[],
  ])[] = [
    [
      'the range that most nodes tell',
      [[node('a', '10.244.5.0/24')], [node('a', '10.244.0.0/24')], [node('a', '10.244.0.0/24')]],
      [['a', '10.244.0.0/24']],
    ],
    ["no range outside the cluster's", [[node('a', '10.0.0.0/8'), node('b', '192.168.0.0/24')], [], []], []],
    [
      'no range that is no whole cut',
      [[node('a', '10.244.0.0/23'), node('b', '10.244.0.128/25'), node('c', '10.244.0.7/24')], [], []],
      [],
    ],
    [
      'a range once: to whom more give it',
      [[node('a', '10.244.1.0/24'), node('b', '10.244.1.0/24')], [node('b', '10.244.1.0/24')], []],
      [['b', '10.244.1.0/24']],
    ],
    [
      'one word of a node',
      [
        [node('a', '10.244.5.0/24'), node('a', '10.244.5.0/24'), node('a', '10.244.5.0/24')],
        [node('a', '10.244.0.0/24')],
        [node('a', '10.244.0.0/24')],
      ],
      [['a', '10.244.0.0/24']],
    ],
    ['no node that is no Machine', [[node('zombie', '10.244.9.0/24')], [], []], []],
  ];
  for (const [what, claims, wanted] of votes) {
    it(`takes ${what}`, () => {
      const result = recovered(claims.map((one, index) => word('abc'[index]!, one)));
      assert.deepEqual(
        result.objects.flatMap((object) =>
          object.kind === 'Node' ? [[object.metadata.name, object.spec.podCIDR]] : [],
        ),
        wanted,
      );
    });
  }

  it("gives a Service no address that is out of range, reserved, stated by another, or another's", () => {
    const inGit = state(
      cluster(),
      service('a'),
      service('b'),
      service('c'),
      service('d'),
      service('stated', { clusterIP: '10.96.0.50' }),
    );
    const result = recovered(
      [
        word('a', [
          addresses('a', '192.168.1.1'),
          addresses('b', '10.96.0.1'),
          addresses('c', '10.96.0.50'),
          addresses('d', '10.96.0.9'),
        ]),
      ],
      { applied: inGit },
    );
    assert.deepEqual(
      result.objects
        .flatMap((object) => (object.kind === 'Service' ? [[object.metadata.name, object.spec.clusterIP]] : []))
        .sort(),
      [
        ['a', undefined],
        ['b', undefined],
        ['c', undefined],
        ['d', '10.96.0.9'],
        ['stated', '10.96.0.50'],
      ],
    );
  });
});

describe('a number of pods that Git leaves to others', () => {
  const one = deployment({ replicas: 1 });
  const { replicas: _replicas, ...unsaid } = one.spec;
  const key = keyOf(one);
  const given = (written: object): DesiredState => {
    const all = new Map(state(cluster(), one));
    return all.set(key, { ...all.get(key)!, written: { ...one, ...written } });
  };
  const scaled = (count: number, more: Parameters<typeof claimed>[2] = {}): Claim[] =>
    Array.from({ length: count }, (_, i) => claimed(`web-${more.hash ?? 'x'}-${i}`, 'a', more));
  const old = { metadata: one.spec.template.metadata, spec: deployment({}, 'app:v0').spec.template.spec };
  const cases: readonly (readonly [string, DesiredState, readonly Claim[], number, number])[] = [
    ['is that of the pods that run', given({ spec: unsaid }), scaled(7), 7, 7],
    ['is the default where none runs', given({ spec: unsaid }), [], 1, 0],
    [
      'is not raised by pods that are being ended',
      given({ spec: unsaid }),
      [...scaled(2), claimed('e', 'a', { ending: true })],
      2,
      3,
    ],
    [
      'allows all pods of an update, and no more than it has to',
      given({ spec: unsaid }),
      [...scaled(3), ...scaled(2, { template: old, hash: templateHash(old) })],
      4,
      5,
    ],
    ["is Git's where Git says it", given({}), scaled(7), 1, 2],
  ];
  for (const [name, applied, claims, replicas, followed] of cases) {
    it(name, () => {
      const result = recovered([word('a', claims)], { applied, templates: [one.spec.template, old] });
      const found = result.objects.find((object) => keyOf(object) === key);
      assert.ok(found?.kind === 'Deployment');
      assert.equal(found.spec.replicas, replicas);
      assert.equal(pods(result).length, followed);
    });
  }
});
