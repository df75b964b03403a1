import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { keyOf, objectKey, type Node, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { assignmentBody } from '../../../reconciler/controllers/nodes/assignment-body.ts';
import { AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { cluster, deployment, service } from '../controllers/objects.ts';
import { Agent, bringUp } from './model-agent.ts';
import { boundPod, changed, configMap, nodeObject, secret, stored, withStatus } from './stored.ts';

function tracker(...objects: readonly Stored[]): AssignmentTracker {
  const made = new AssignmentTracker('store-1');
  for (const object of objects) made.observe('put', object, 0);
  made.publish();
  return made;
}

const withEverything = {
  containers: [
    {
      name: 'app',
      image: 'app:v1',
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'env', key: 'a' } } },
        { name: 'B', valueFrom: { secretKeyRef: { name: 'password', key: 'a' } } },
      ],
      envFrom: [{ configMapRef: { name: 'all-env' } }, { secretRef: { name: 'all-secret' } }],
    },
  ],
  volumes: [
    { name: 'v1', configMap: { name: 'files' } },
    { name: 'v2', secret: { secretName: 'keys' } },
    { name: 'v3', emptyDir: {} },
  ],
};
const web = stored<'Deployment'>(deployment());
const replicaSet = stored<'ReplicaSet'>({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name: 'web-1',
    namespace: 'default',
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-web', controller: true }],
  },
  spec: { replicas: 1, selector: {}, template: web.spec.template, minReadySeconds: 0 },
});
const owned = {
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'uid-web-1', controller: true }],
};

describe('assignment of a node', () => {
  it('holds the passwords of the routers that it speaks to', () => {
    const near = nodeObject('n1', '10.0.1.0/24');
    const rack = (name: string): Stored =>
      stored<'Node'>({ ...near, metadata: { ...near.metadata, labels: { rack: name } } });
    const router = (rackName: string): Stored =>
      stored<'BGPPeer'>({
        apiVersion: 'metallb.io/v1beta2',
        kind: 'BGPPeer',
        metadata: { name: 'router', namespace: 'default' },
        spec: {
          myASN: 1,
          peerASN: 2,
          peerAddress: '192.0.2.1',
          peerPort: 179,
          enableGracefulRestart: false,
          ebgpMultiHop: false,
          passwordSecret: { name: 'word' },
          nodeSelectors: [{ matchLabels: { rack: rackName } }],
        },
      });
    const mine = tracker(rack('a'), nodeObject('n2', '10.0.2.0/24'), secret('word'), secret('other'), router('a'));
    const [one, two] = [bringUp(mine, 'n1'), bringUp(mine, 'n2')];
    const isThere = (agent: Agent): boolean => agent.objects.has('secrets/default/word');
    assert.deepEqual([isThere(one), isThere(two)], [true, false]);
    assert.equal(one.objects.has('secrets/default/other'), false);
    for (const [change, expected] of [
      [router('b'), false],
      [router('a'), true],
      [rack('c'), false],
      [rack('a'), true],
    ] as const) {
      mine.observe('put', change, 0);
      assert.equal(isThere(bringUp(mine, 'n1', one)), expected);
    }
    mine.observe('delete', router('a'), 0);
    assert.equal(isThere(bringUp(mine, 'n1', one)), false);
    assert.equal(isThere(bringUp(mine, 'n2', two)), false);
  });

  it('holds its pods and what they refer to, not who owns them, and what every node holds', () => {
    const mine = tracker(
      web,
      replicaSet,
      boundPod('p1', 'n1', withEverything, owned),
      boundPod('p2', 'n2'),
      boundPod('p3', undefined),
      ...['env', 'all-env', 'files', 'other'].map((name) => configMap(name)),
      ...['password', 'all-secret', 'keys', 'unrelated'].map(secret),
      stored<'Service'>(service('web')),
      nodeObject('n1', '10.0.1.0/24'),
      nodeObject('n2', '10.0.2.0/24'),
      stored<'Cluster'>(cluster()),
    );
    assert.deepEqual(bringUp(mine, 'n1').keys(), [
      'clusters.plumbline.dev//lab',
      'configmaps/default/all-env',
      'configmaps/default/env',
      'configmaps/default/files',
      'nodes//n1',
      'nodes//n2',
      'pods/default/p1',
      'secrets/default/all-secret',
      'secrets/default/keys',
      'secrets/default/password',
      'services/default/web',
    ]);
    assert.deepEqual(bringUp(mine, 'n2').keys(), [
      'clusters.plumbline.dev//lab',
      'nodes//n1',
      'nodes//n2',
      'pods/default/p2',
      'services/default/web',
    ]);
  });

  it('holds what its own proxy has to do, with those Secrets of all namespaces that it serves', () => {
    const proxy = (node: string, namespace: string): Stored =>
      stored<'ProxyConfig'>({
        apiVersion: 'plumbline.dev/v1alpha1',
        kind: 'ProxyConfig',
        metadata: { name: node },
        spec: {
          ports: [
            { port: 443, protocol: 'https', hosts: [{ hostname: '', certificates: [{ namespace, name: 'tls' }] }] },
          ],
          backends: [],
        },
      });
    const tls = (namespace: string): Stored => ({
      ...secret('tls'),
      metadata: { ...secret('tls').metadata, namespace },
    });
    const mine = tracker(proxy('n1', 'team'), proxy('n2', 'other'), tls('team'), tls('other'), tls('default'));
    const agent = bringUp(mine, 'n1');
    assert.deepEqual(agent.keys(), ['proxyconfigs.plumbline.dev//n1', 'secrets/team/tls']);
    mine.observe('delete', proxy('n1', 'team'), 0);
    assert.deepEqual(bringUp(mine, 'n1', agent).keys(), []);
  });

  for (const [what, count] of [
    ['as it is where there is little of it', 1],
    ['compressed where there is much of it and the agent takes that', 3000],
  ] as const)
    it(`costs the text of what all nodes hold once, however many there are: ${what}`, async () => {
      const services = Array.from({ length: count }, (_, i) => stored<'Service'>(service(`web-${i}`)));
      let texts = 0;
      const counted = services.map((one) => ({ ...one, toJSON: () => ((texts += 1), one) }));
      const shared = { upsert: counted, remove: [objectKey('Service', 'default', 'a')], keys: new Set<ObjectKey>() };
      const own = boundPod('p1', 'n1');
      const update = { epoch: 1, from: null, to: 'v', upsert: [own], remove: [objectKey('Pod', 'default', 'p')] };
      for (const takesGzip of [false, true])
        for (const node of ['n1', 'n2', 'n3']) {
          const { body, encoding } = await assignmentBody({ ...update, node, shared }, takesGzip);
          assert.equal(encoding, takesGzip && count > 1 ? 'gzip' : undefined);
          assert.deepEqual(JSON.parse(String(encoding ? gunzipSync(body) : body)), {
            ...update,
            node,
            upsert: [...services, own],
            remove: [...shared.remove, ...update.remove],
          });
        }
      assert.equal(texts, count);
    });

  it('is forgotten with its node, once its Node and its pods are gone', () => {
    const pod = boundPod('p1', 'n1', withEverything);
    const node = nodeObject('n1', '10.0.1.0/24');
    const orders = [
      (mine: AssignmentTracker) => [
        mine.leave('n1', 0),
        mine.observe('delete', pod, 0),
        mine.observe('delete', node, 0),
      ],
      (mine: AssignmentTracker) => [
        mine.observe('delete', node, 0),
        mine.leave('n1', 0),
        mine.observe('delete', pod, 0),
      ],
      (mine: AssignmentTracker) => [
        mine.observe('delete', node, 0),
        mine.observe('delete', pod, 0),
        mine.leave('n1', 0),
      ],
      // Another control plane spoke to it.
      (mine: AssignmentTracker) => [
        mine.handOver('n1'),
        mine.observe('delete', node, 0),
        mine.observe('delete', pod, 0),
        mine.removed('n1'),
      ],
    ];
    for (const go of orders) {
      const mine = tracker(node, pod, nodeObject('n2', '10.0.2.0/24'));
      mine.join('n1', 0);
      assert.deepEqual([...mine.known].sort(), ['n1', 'n2']);
      go(mine);
      assert.deepEqual([...mine.known], ['n2']);
    }
  });

  const p1 = boundPod('p1', 'n1');
  const n1 = nodeObject('n1', '10.0.1.0/24');
  const n2 = nodeObject('n2', '10.0.2.0/24');
  const svc = stored<'Service'>(service('web'));
  const owner = {
    manager: 'user:somebody',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-03-01T12:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:type': {} } },
  } as const;
  const noChange: readonly (readonly [string, Stored, Stored])[] = [
    ['a pod status', p1, withStatus(p1, { phase: 'Running' })],
    [
      'a heartbeat',
      n1,
      withStatus(n1, { ...n1.status, conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'later' }] }),
    ],
    [
      'a taint of another node',
      n2,
      changed(n2, { spec: { ...n2.spec, taints: [{ key: 'a', effect: 'NoSchedule' }] } }),
    ],
    ['a deployment status', web, withStatus(web, { replicas: 3 })],
    ['a new resourceVersion alone', p1, changed(p1, {})],
    ['the owner of a field of it', svc, { ...svc, metadata: { ...svc.metadata, managedFields: [owner] } }],
  ];
  for (const [what, before, after] of noChange) {
    it(`is not moved by ${what}`, () => {
      const mine = tracker(p1, n1, web, before);
      bringUp(mine, 'n1');
      assert.equal(mine.observe('put', after, 0).includes('n1'), false);
      assert.equal(mine.isBehind('n1'), false);
      assert.equal(mine.delta('n1'), undefined);
    });
  }

  it('tells a node of its own taints and allocatable resources, and no other of them', () => {
    const bare = nodeObject('n1', '10.0.1.0/24');
    const mine = tracker(bare, n2);
    const [a1, a2] = [bringUp(mine, 'n1'), bringUp(mine, 'n2')];
    const [before1, before2] = [a1.version, a2.version];
    const told = changed(
      { ...bare, metadata: { ...bare.metadata, labels: { disk: 'ssd' } } },
      {
        spec: { ...bare.spec, taints: [{ key: 'a', effect: 'NoExecute' }] },
        status: { ...bare.status, allocatable: { cpu: '2' } },
      },
    );
    assert.deepEqual(mine.observe('put', told, 0), ['n1']);
    assert.notEqual(mine.version('n1'), before1);
    assert.equal(mine.version('n2'), before2);
    bringUp(mine, 'n1', a1);
    const [own, others] = [a1.objects.get('nodes//n1'), a2.objects.get('nodes//n1')] as Node[];
    assert.deepEqual(
      [own?.metadata.labels, own?.spec.taints, own?.status?.allocatable],
      [{ disk: 'ssd' }, [{ key: 'a', effect: 'NoExecute' }], { cpu: '2' }],
    );
    assert.deepEqual(
      [others?.metadata.labels, others?.spec.taints, others?.status?.allocatable],
      [{ zone: 'a' }, undefined, undefined],
    );
    mine.observe('delete', told, 0);
    assert.equal(bringUp(mine, 'n1', a1).objects.has('nodes//n1'), false);
  });

  it('moves by what changed, and only on the nodes that it concerns', () => {
    const mine = tracker(
      boundPod('p1', 'n1', withEverything),
      boundPod('p2', 'n2'),
      configMap('env'),
      nodeObject('n1', '10.0.1.0/24'),
    );
    const [a1, a2] = [bringUp(mine, 'n1'), bringUp(mine, 'n2')];
    assert.deepEqual(mine.observe('put', configMap('env', { a: '2' }), 0), ['n1']);
    const delta = mine.delta('n1');
    assert.deepEqual(delta?.upsert.map(keyOf), ['configmaps/default/env']);
    assert.deepEqual(delta.remove, []);
    assert.equal(delta.from, a1.version);
    assert.deepEqual(mine.observe('put', nodeObject('n3', '10.0.3.0/24'), 0), ['n3']);
    assert.deepEqual([...mine.unpublished], ['Node']);
    assert.equal(mine.isBehind('n2'), false);
    mine.publish();
    assert.equal(mine.isBehind('n2'), true);
    bringUp(mine, 'n1', a1);
    bringUp(mine, 'n2', a2);
    assert.ok(a1.objects.has('nodes//n3') && a2.objects.has('nodes//n3') && !a2.objects.has('configmaps/default/env'));
  });

  it('takes a deleted pod away with what only it referred to', () => {
    const p = boundPod('p1', 'n1', withEverything, owned);
    const other = boundPod('p2', 'n1', {
      containers: [{ name: 'app', image: 'a', envFrom: [{ configMapRef: { name: 'env' } }] }],
    });
    const mine = tracker(web, replicaSet, p, other, configMap('env'), configMap('files'), secret('keys'));
    const agent = bringUp(mine, 'n1');
    mine.observe('delete', p, 0);
    bringUp(mine, 'n1', agent);
    assert.deepEqual(agent.keys(), ['configmaps/default/env', 'pods/default/p2']);
  });

  it('keeps what changed while a delta was on its way', () => {
    const mine = tracker(boundPod('p1', 'n1', withEverything));
    const agent = bringUp(mine, 'n1');
    mine.observe('put', configMap('env', { a: '2' }), 0);
    const sent = mine.delta('n1');
    assert.ok(sent);
    mine.observe('put', configMap('env', { a: '3' }), 0);
    agent.take(sent);
    mine.acknowledge('n1', sent);
    assert.equal(mine.isBehind('n1'), true);
    bringUp(mine, 'n1', agent);
    assert.deepEqual(
      agent.objects.get('configmaps/default/env'),
      mine.wholeDelta('n1').upsert.find((o) => o.kind === 'ConfigMap'),
    );
  });

  it('knows an agent of an earlier process by its version, and resends nothing', () => {
    const objects = [boundPod('p1', 'n1', withEverything), configMap('env'), nodeObject('n1', '10.0.1.0/24')];
    const agent = bringUp(tracker(...objects), 'n1');
    const next = tracker(...objects.toReversed());
    next.agentHolds('n1', agent.version);
    assert.equal(next.isBehind('n1'), false);
    const elsewhere = new AssignmentTracker('store-2');
    for (const object of objects) elsewhere.observe('put', object, 0);
    elsewhere.publish();
    elsewhere.agentHolds('n1', agent.version);
    assert.equal(elsewhere.isBehind('n1'), true);
  });

  it('goes on by deltas after a lost connection when the agent is where it was', () => {
    const mine = tracker(boundPod('p1', 'n1'));
    const agent = bringUp(mine, 'n1');
    mine.observe('put', boundPod('p2', 'n1'), 0);
    mine.agentHolds('n1', agent.version);
    assert.deepEqual(mine.delta('n1')?.upsert.map(keyOf), ['pods/default/p2']);
    mine.agentHolds('n1', 'something else');
    assert.equal(mine.delta('n1'), undefined);
    assert.equal(mine.isBehind('n1'), true);
  });

  it('leaves a Secret that the store does not have yet where it is, until the pod goes or the Secret comes', () => {
    const p = boundPod('p1', 'n1', withEverything);
    const agent = bringUp(tracker(p, secret('keys'), secret('password'), configMap('env')), 'n1');
    const after = new AssignmentTracker('store-2');
    after.observe('put', p, 0);
    bringUp(after, 'n1', agent);
    assert.deepEqual(agent.keys(), [
      'configmaps/default/env',
      'pods/default/p1',
      'secrets/default/keys',
      'secrets/default/password',
    ]);
    after.observe('put', secret('keys'), 0);
    bringUp(after, 'n1', agent);
    assert.ok(agent.objects.has('secrets/default/password'));
    after.observe('delete', p, 0);
    bringUp(after, 'n1', agent);
    assert.deepEqual(agent.keys(), []);
  });

  it('sends deletionTimestamp on', () => {
    const p = boundPod('p1', 'n1');
    const mine = tracker(p);
    const agent = bringUp(mine, 'n1');
    mine.observe(
      'put',
      { ...p, metadata: { ...p.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 5 } },
      0,
    );
    bringUp(mine, 'n1', agent);
    assert.equal(agent.objects.get('pods/default/p1')?.metadata.deletionTimestamp, 'now');
  });

  it('always ends with what a new tracker would send whole, whatever happened in whatever order', () => {
    const names = ['a', 'b', 'c'];
    const podOf = (name: string, on: string | undefined, refers: string) =>
      boundPod(
        name,
        on,
        { containers: [{ name: 'app', image: 'i', envFrom: [{ configMapRef: { name: refers } }] }] },
        { uid: `${name}-${on}` },
      );
    const action = fc.oneof(
      fc.record({
        do: fc.constant('pod' as const),
        name: fc.constantFrom(...names),
        on: fc.constantFrom('n1', 'n2', undefined),
        refers: fc.constantFrom(...names),
      }),
      fc.record({
        do: fc.constant('config' as const),
        name: fc.constantFrom(...names),
        value: fc.constantFrom('1', '2'),
      }),
      fc.record({ do: fc.constant('service' as const), name: fc.constantFrom(...names) }),
      fc.record({
        do: fc.constant('delete' as const),
        kind: fc.constantFrom('Pod', 'ConfigMap', 'Service'),
        name: fc.constantFrom(...names),
      }),
      fc.record({ do: fc.constant('push' as const), node: fc.constantFrom('n1', 'n2'), lost: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const mine = new AssignmentTracker('store-1');
        const live = new Map<string, Stored>();
        const agents = { n1: new Agent(), n2: new Agent() };
        const put = (object: Stored): void => {
          live.set(keyOf(object), object);
          mine.observe('put', object, 0);
        };
        for (const step of actions) {
          if (step.do === 'pod') put(podOf(step.name, step.on, step.refers));
          else if (step.do === 'config') put(configMap(step.name, { a: step.value }));
          else if (step.do === 'service') put(stored<'Service'>(service(step.name)));
          else if (step.do === 'delete') {
            const key = objectKey(step.kind, 'default', step.name);
            const object = live.get(key);
            if (object) {
              live.delete(key);
              mine.observe('delete', object, 0);
            }
          } else {
            const agent = agents[step.node];
            const delta = mine.delta(step.node) ?? mine.wholeDelta(step.node);
            agent.take(delta);
            if (step.lost) mine.agentHolds(step.node, agent.version);
            else mine.acknowledge(step.node, delta);
          }
        }
        for (const node of ['n1', 'n2'] as const) {
          bringUp(mine, node, agents[node]);
          const clean = bringUp(tracker(...live.values()), node);
          assert.deepEqual(agents[node].contents(), clean.contents());
          assert.equal(agents[node].version, clean.version);
        }
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
