import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import type { ConfigMap, Deployment, KubeObject, ObjectKey, Service } from '../../../contracts/objects/index.ts';
import {
  checkPlan,
  ORIGIN_ANNOTATION,
  planSync,
  SOURCE_ANNOTATION,
  type Plan,
  type PlanInput,
} from '../../../reconciler/core/diff/index.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { processorTime } from '../../support/processor-time.ts';
import { carryOut, deployment, desired, edited, manifests, NOTHING, planInput, type Live } from './states.ts';

const WEB: ObjectKey = 'deployments.apps/default/web';
const SERVICE: ObjectKey = 'services/default/web';
const service = (ports: string, type = 'ClusterIP'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: ${type}, ports: ${ports}}\n`;

function shape(plan: Plan): string[] {
  return plan.items.map((item) => `${item.action} ${item.key}${item.action === 'update' ? ` ${item.reason}` : ''}`);
}

function applied(state: DesiredState): Live {
  return carryOut(new Map(), planSync(planInput({ desired: state })));
}

function onlyUpdate(input: Partial<PlanInput>): Extract<Plan['items'][number], { action: 'update' }> {
  const plan = planSync(planInput(input));
  assert.equal(plan.items.length, 1, shape(plan).join(', '));
  const [item] = plan.items;
  assert.ok(item?.action === 'update');
  const patched = jsonPatch.applyPatch(
    structuredClone(item.before),
    structuredClone(item.patch) as jsonPatch.Operation[],
    true,
  ).newDocument;
  assert.deepEqual(patched, item.object);
  return item;
}

describe('what is created, in which order', () => {
  it('namespaces first, workloads last, by key within a wave', () => {
    const text = manifests(
      deployment('web'),
      service('[{port: 80}]'),
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: team}',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}',
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}',
    );
    const plan = planSync(planInput({ desired: desired(text) }));
    assert.deepEqual(shape(plan), [
      'create namespaces//team',
      'create configmaps/default/a',
      'create configmaps/default/z',
      'create secrets/team/s',
      'create services/default/web',
      'create deployments.apps/default/web',
    ]);
    assert.deepEqual(plan.counts, { create: 6, update: 0, delete: 0 });
    const removal = planSync(planInput({ applied: desired(text), live: applied(desired(text)) }));
    assert.deepEqual(shape(removal), [
      'delete deployments.apps/default/web',
      'delete services/default/web',
      'delete configmaps/default/a',
      'delete configmaps/default/z',
      'delete secrets/team/s',
      'delete namespaces//team',
    ]);
  });

  it('carries source and origin', () => {
    const [item] = planSync(planInput({ desired: desired(`# a\n${deployment('web')}`, 'apps/web.yaml') })).items;
    assert.ok(item?.action === 'create');
    assert.deepEqual(item.object.metadata.annotations, {
      [SOURCE_ANNOTATION]: 'main',
      [ORIGIN_ANNOTATION]: 'apps/web.yaml:2',
    });
  });
});

describe('a Namespace that is being deleted', () => {
  const team = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}';
  const map = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: team}`;
  const both = desired(manifests(team, map('a')));
  const ending: Live = new Map(
    [...applied(both)].map(([key, object]) => [
      key,
      object.kind === 'Namespace'
        ? { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
        : object,
    ]),
  );

  it('is left alone with all that is in it', () => {
    assert.deepEqual(shape(planSync(planInput({ applied: both, live: ending }))), []);
  });

  it('gets nothing new, and neither is made yet', () => {
    const more = desired(manifests(team, map('a'), map('b')));
    assert.deepEqual(shape(planSync(planInput({ desired: more, live: ending }))), []);
  });
});

describe('a Job that is gone', () => {
  const job = (image: string): DesiredState =>
    desired(
      `apiVersion: batch/v1\nkind: Job\nmetadata: {name: task}\nspec:\n  ttlSecondsAfterFinished: 60\n  template:\n    spec: {restartPolicy: Never, containers: [{name: a, image: "${image}"}]}\n`,
    );
  const one = job('task:1');

  it('has run, and is not made again by the next commit', () => {
    const next = new Map([...one, ...desired(deployment('web'))]);
    assert.deepEqual(shape(planSync(planInput({ applied: one, desired: next }))), [`create ${WEB}`]);
  });

  it('runs again when its manifest changes', () => {
    assert.deepEqual(shape(planSync(planInput({ applied: one, desired: job('task:2') }))), [
      'create jobs.batch/default/task',
    ]);
  });

  it('is made with its Namespace, in which it has not run', () => {
    const team = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}';
    const task =
      'apiVersion: batch/v1\nkind: Job\nmetadata: {name: task, namespace: team}\nspec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: a, image: a}]}';
    const both = desired(manifests(team, task));
    const keys = ['namespaces//team', 'jobs.batch/team/task'] as const;
    assert.deepEqual(
      shape(planSync(planInput({ applied: both, desired: both }))),
      keys.map((key) => `create ${key}`),
    );
    const home = new Map([...applied(both)].filter(([key]) => key === keys[0]));
    assert.deepEqual(shape(planSync(planInput({ applied: both, desired: both, live: home }))), []);
  });

  it('is made where it never was', () => {
    assert.deepEqual(shape(planSync(planInput({ desired: one }))), ['create jobs.batch/default/task']);
  });
});

describe('what is updated', () => {
  const one = desired(deployment('web'));
  const two = desired(deployment('web', { image: 'hello:2' }));

  it('a changed image is one operation', () => {
    const item = onlyUpdate({ applied: one, desired: two, live: applied(one) });
    assert.equal(item.reason, 'commit');
    assert.deepEqual(item.patch, [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'hello:2' }]);
  });

  it('a manifest that moved is no change, and its new place is told with the next', () => {
    const moved = desired(`# moved\n\n${deployment('web')}`);
    assert.deepEqual(planSync(planInput({ applied: one, desired: moved, live: applied(one) })).items, []);
    const both = onlyUpdate({
      applied: one,
      desired: desired(`# moved\n\n${deployment('web', { replicas: 2 })}`),
      live: applied(one),
    });
    assert.equal(both.object.metadata.annotations?.[ORIGIN_ANNOTATION], 'app.yaml:3');
  });

  it('a live object that someone changed is put back, as drift', () => {
    const live = edited(applied(one), WEB, (o) => ({ ...o, spec: { ...(o as Deployment).spec, replicas: 7 } }));
    const item = onlyUpdate({ applied: one, desired: one, live });
    assert.equal(item.reason, 'drift');
    assert.deepEqual(item.patch, [{ op: 'replace', path: '/spec/replicas', value: 1 }]);
  });

  it('what Git does not write is no drift, and no part of an update', () => {
    const unwritten = (image: string): DesiredState =>
      desired(deployment('web', { image }).replace('"replicas":1,', ''));
    const before = unwritten('hello:1');
    const live = edited(applied(before), WEB, (o) => ({ ...o, spec: { ...(o as Deployment).spec, replicas: 7 } }));
    assert.deepEqual(planSync(planInput({ applied: before, desired: before, live })).items, []);
    assert.deepEqual(
      planSync(planInput({ desired: before, live })).items,
      [],
      'nor when nobody knows what was applied',
    );
    const item = onlyUpdate({ applied: before, desired: unwritten('hello:2'), live });
    assert.deepEqual(item.patch, [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'hello:2' }]);
    const offline = new Map([...one].map(([key, d]) => [key, d.object]));
    assert.deepEqual(
      planSync(planInput({ applied: one, desired: before, live: offline })).items,
      [],
      'the default too',
    );
  });

  it('fields that Git no longer names go, fields that it never named stay', () => {
    const before = desired(deployment('web', { env: { A: '1', B: '2' } }));
    const after = desired(deployment('web', { env: { B: '2' } }));
    const live = edited(applied(before), WEB, (o) => {
      const d = o as Deployment;
      const [container] = d.spec.template.spec.containers;
      assert.ok(container);
      const env = [...(container.env ?? []), { name: 'INJECTED', value: 'x' }];
      const template = {
        ...d.spec.template,
        spec: {
          ...d.spec.template.spec,
          containers: [
            { ...container, env },
            { ...container, name: 'sidecar' },
          ],
        },
      };
      const annotations = { ...d.metadata.annotations, 'deployment.kubernetes.io/revision': '3' };
      return { ...d, metadata: { ...d.metadata, annotations }, spec: { ...d.spec, template }, status: { replicas: 1 } };
    });
    const { object } = onlyUpdate({ applied: before, desired: after, live });
    assert.ok(object.kind === 'Deployment');
    assert.deepEqual(
      object.spec.template.spec.containers.map((c) => [c.name, (c.env ?? []).map((e) => e.name)]),
      [
        ['web', ['B', 'INJECTED']],
        ['sidecar', ['A', 'B']],
      ],
    );
    assert.equal(object.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
    assert.equal(object.metadata.uid, 'uid-deployments.apps/default/web');
    assert.deepEqual(object.status, { replicas: 1 });
  });

  it('what Plumbline allocated for a Service stays, until the Service needs it no more', () => {
    const nodePort = desired(service('[{port: 80}]', 'NodePort'));
    const allocated = edited(applied(nodePort), SERVICE, (o) => {
      const s = o as Service;
      return {
        ...s,
        spec: { ...s.spec, clusterIP: '10.96.0.5', ports: s.spec.ports.map((p) => ({ ...p, nodePort: 30080 })) },
      };
    });
    assert.deepEqual(planSync(planInput({ applied: nodePort, desired: nodePort, live: allocated })).items, []);
    const { object } = onlyUpdate({ applied: nodePort, desired: desired(service('[{port: 80}]')), live: allocated });
    assert.ok(object.kind === 'Service');
    assert.deepEqual(
      [object.spec.clusterIP, object.spec.ports],
      ['10.96.0.5', [{ protocol: 'TCP', port: 80, targetPort: 80 }]],
    );
    const named = desired(service('[{port: 80}], clusterIP: 10.96.0.5', 'NodePort'));
    assert.deepEqual(
      planSync(planInput({ applied: named, desired: nodePort, live: allocated })).items,
      [],
      'an address that is no longer written is kept',
    );
  });

  it("keys of people's own maps mean nothing special", () => {
    const map = (data: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {nodeName: x}}\ndata: ${data}\n`;
    const before = desired(map('{nodeName: a, clusterIP: b, value: c, keep: d}'));
    const after = desired(map('{valueFrom: e, keep: d}'));
    const live = edited(applied(before), 'configmaps/default/c', (o) => ({
      ...o,
      data: { ...(o as ConfigMap).data, secret: 'by hand' },
    }));
    const { object } = onlyUpdate({ applied: before, desired: after, live });
    assert.ok(object.kind === 'ConfigMap');
    assert.deepEqual(object.data, { keep: 'd', secret: 'by hand', valueFrom: 'e' });
  });

  it('a node name that a template no longer has goes, a binding stays', () => {
    const web = (more: string): string =>
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: d}]${more}}\n`;
    const before = desired(web(', nodeName: n1'));
    const item = onlyUpdate({ applied: before, desired: desired(web('')), live: applied(before) });
    assert.deepEqual(item.patch, [{ op: 'remove', path: '/spec/template/spec/nodeName' }]);
  });

  it('one of several exclusive fields takes the others away, also when nobody knows what was applied', () => {
    const pod = (volume: string, strategy: string): string =>
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  strategy: ${strategy}\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers: [{name: c, image: d}]\n      volumes: [{name: v, ${volume}}]\n`;
    const before = desired(pod('emptyDir: {}', '{type: RollingUpdate}'));
    const after = desired(pod('configMap: {name: x, optional: true}', '{type: Recreate}'));
    const { object } = onlyUpdate({ applied: NOTHING, desired: after, live: applied(before) });
    assert.ok(object.kind === 'Deployment');
    assert.deepEqual(Object.keys(object.spec.template.spec.volumes?.[0] ?? {}).sort(), ['configMap', 'name']);
    assert.deepEqual(object.spec.strategy, { type: 'Recreate' });
  });

  it('an object that exists without our mark is adopted', () => {
    const live = edited(applied(one), WEB, (o) => ({ ...o, metadata: { ...o.metadata, annotations: {} } }));
    const item = onlyUpdate({ desired: one, live });
    assert.deepEqual(item.object.metadata.annotations, {
      [SOURCE_ANNOTATION]: 'main',
      [ORIGIN_ANNOTATION]: 'app.yaml:1',
    });
  });

  it('tells the same offline, where the applied objects stand for the live ones', () => {
    const withMore = desired(manifests(deployment('web'), deployment('gone')));
    const live = new Map([...withMore].map(([key, d]) => [key, d.object]));
    assert.deepEqual(shape(planSync(planInput({ applied: withMore, desired: two, live }))), [
      'update deployments.apps/default/web commit',
      'delete deployments.apps/default/gone',
    ]);
    assert.deepEqual(planSync(planInput({ applied: withMore, desired: withMore, live })).items, []);
  });
});

describe('what is never touched', () => {
  const one = desired(deployment('web'));
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
  const cases: readonly (readonly [string, KubeObject['metadata'], Partial<PlanInput>])[] = [
    ['unmarked objects are not deleted', { name: 'web', namespace: 'default' }, {}],
    [
      'objects of another source are not deleted',
      { name: 'web', namespace: 'default', annotations: { [SOURCE_ANNOTATION]: 'other' } },
      {},
    ],
    [
      'objects of another source are not updated',
      { name: 'web', namespace: 'default', annotations: { [SOURCE_ANNOTATION]: 'other' } },
      { desired: one },
    ],
    [
      'objects of a controller are not deleted, even with a copied mark',
      { name: 'web', namespace: 'default', annotations: { [SOURCE_ANNOTATION]: 'main' }, ownerReferences: [owner] },
      {},
    ],
    [
      'objects of a controller are not updated',
      { name: 'web', namespace: 'default', ownerReferences: [owner] },
      { desired: one },
    ],
    [
      'objects on their way out are not deleted again',
      {
        name: 'web',
        namespace: 'default',
        annotations: { [SOURCE_ANNOTATION]: 'main' },
        deletionTimestamp: '2024-01-01T00:00:00Z',
      },
      {},
    ],
    [
      'objects on their way out are not updated',
      { name: 'web', namespace: 'default', deletionTimestamp: '2024-01-01T00:00:00Z' },
      { desired: one },
    ],
  ];
  for (const [name, metadata, input] of cases) {
    it(name, () => {
      const live = edited(applied(one), WEB, (o) => ({
        ...o,
        metadata: { uid: 'x', ...metadata },
        spec: { ...(o as Deployment).spec, replicas: 9 },
      }));
      assert.deepEqual(planSync(planInput({ live, ...input })).items, []);
    });
  }
});

describe('what a controller took over', () => {
  const one = desired(deployment('web'));
  const owner = { apiVersion: 'x/v1', kind: 'Thing', name: 't', uid: 'u', controller: true };
  const adopted = edited(applied(one), WEB, (o) => ({
    ...o,
    metadata: {
      ...o.metadata,
      annotations: { ...o.metadata.annotations, [SOURCE_ANNOTATION]: 'main' },
      ownerReferences: [owner],
    },
  }));
  it('is written as before, and stays its own', () => {
    const changed = desired(deployment('web', { replicas: 2 }));
    const plan = planSync(planInput({ applied: one, desired: changed, live: adopted }));
    assert.deepEqual(shape(plan), ['update deployments.apps/default/web commit']);
    assert.deepEqual(plan.items[0]?.object.metadata.ownerReferences, [owner]);
    assert.deepEqual(checkPlan(planInput({ applied: one, desired: changed, live: adopted })), []);
  });
  it('goes when Git drops it', () => {
    assert.deepEqual(shape(planSync(planInput({ applied: one, live: adopted }))), [
      'delete deployments.apps/default/web',
    ]);
  });
});

describe('for any states', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const document = fc.oneof(
    fc
      .record({
        n: name,
        image: fc.constantFrom('hello:1', 'hello:2'),
        replicas: fc.integer({ min: 0, max: 2 }),
        env: fc.dictionary(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('1', '2'), { noNullPrototype: true }),
      })
      .map(({ n, ...fields }) => [`deployments.apps/${n}`, deployment(n, fields)] as const),
    fc
      .record({
        n: name,
        data: fc.dictionary(fc.constantFrom('k', 'a.b', 'x-y'), fc.string({ maxLength: 3 }), { noNullPrototype: true }),
      })
      .map(
        ({ n, data }) =>
          [
            `configmaps/${n}`,
            JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: n }, data }),
          ] as const,
      ),
    fc
      .record({
        n: name,
        ports: fc.uniqueArray(fc.constantFrom(80, 81, 82), { minLength: 1 }),
        type: fc.constantFrom('ClusterIP', 'NodePort'),
      })
      .map(
        ({ n, ports, type }) =>
          [
            `services/${n}`,
            JSON.stringify({
              apiVersion: 'v1',
              kind: 'Service',
              metadata: { name: n },
              spec: { type, ports: ports.map((port) => ({ name: `p${port}`, port })) },
            }),
          ] as const,
      ),
  );
  const state = fc
    .uniqueArray(document, { selector: ([key]) => key, maxLength: 6 })
    .map((documents) => desired(manifests(...documents.map(([, text]) => text))));
  /** The live objects that sets of manifests left behind, some of them edited, some not ours. */
  const liveOf = (base: DesiredState, foreign: DesiredState, edit: number): Live => {
    const live = new Map<ObjectKey, KubeObject>(carryOut(new Map(), planSync(planInput({ desired: foreign }))));
    for (const [key, object] of live) live.set(key, { ...object, metadata: { ...object.metadata, annotations: {} } });
    for (const [key, object] of applied(base)) live.set(key, object);
    let i = 0;
    for (const [key, object] of live) {
      if ((edit >> i++) % 2 === 0) continue;
      if (object.kind === 'Deployment')
        live.set(key, { ...object, spec: { ...object.spec, replicas: 9, paused: true } });
      if (object.kind === 'Service')
        live.set(key, {
          ...object,
          spec: {
            ...object.spec,
            clusterIP: '10.96.0.9',
            ports: object.spec.ports.map((p, j) => ({ ...p, nodePort: 30000 + j })),
          },
        });
      if (object.kind === 'ConfigMap') live.set(key, { ...object, data: { ...object.data, live: 'only' } });
    }
    return live;
  };

  it('carrying the plan out and planning again changes nothing', () => {
    fc.assert(
      fc.property(state, state, state, fc.nat(255), (before, after, foreign, edit) => {
        const live = liveOf(before, foreign, edit);
        const plan = planSync(planInput({ applied: before, desired: after, live }));
        const now = carryOut(live, plan);
        assert.deepEqual(planSync(planInput({ applied: after, desired: after, live: now })).items, []);
        assert.deepEqual(
          planSync(planInput({ applied: before, desired: after, live: now })).items,
          [],
          'also when the process died before it noted what it applied',
        );
        for (const key of after.keys()) assert.ok(now.has(key));
      }),
      { numRuns: 100 },
    );
  });

  it('only marked objects are deleted, and every patch gives the object it comes with', () => {
    fc.assert(
      fc.property(state, state, state, fc.nat(255), (before, after, foreign, edit) => {
        const live = liveOf(before, foreign, edit);
        for (const item of planSync(planInput({ applied: before, desired: after, live })).items) {
          if (item.action === 'delete') assert.equal(item.object.metadata.annotations?.[SOURCE_ANNOTATION], 'main');
          if (item.action !== 'update') continue;
          const patched = jsonPatch.applyPatch(
            structuredClone(item.before),
            structuredClone(item.patch) as jsonPatch.Operation[],
            true,
          ).newDocument;
          assert.deepEqual(patched, item.object);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('the order of the input does not matter', () => {
    const reversed = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => new Map([...map].reverse());
    fc.assert(
      fc.property(state, state, fc.nat(255), (before, after, edit) => {
        const live = liveOf(before, NOTHING, edit);
        const input = planInput({ applied: before, desired: after, live });
        assert.deepEqual(
          planSync({ ...input, applied: reversed(before), desired: reversed(after), live: reversed(live) }),
          planSync(input),
        );
      }),
      { numRuns: 100 },
    );
  });
});

describe('many objects', () => {
  it('5,000 are planned in seconds', () => {
    const [template] = desired(deployment('web')).values();
    const [changed] = desired(deployment('web', { image: 'hello:2' })).values();
    assert.ok(template && changed);
    const many = (of: typeof template): DesiredState =>
      new Map(
        Array.from({ length: 5000 }, (_, i): [ObjectKey, typeof template] => {
          const key: ObjectKey = `deployments.apps/default/web-${i}`;
          return [key, { ...of, key, object: { ...of.object, metadata: { ...of.object.metadata, name: `web-${i}` } } }];
        }),
      );
    const live = applied(many(template));
    const seconds = processorTime();
    assert.deepEqual(planSync(planInput({ applied: many(template), desired: many(template), live })).items, []);
    assert.equal(planSync(planInput({ applied: many(template), desired: many(changed), live })).counts.update, 5000);
    assert.ok(seconds() < 10, 'took more than 10 s');
  });
});
