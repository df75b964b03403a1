import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../../contracts/objects/index.ts';
import { ShapeTable } from '../../../reconciler/core/scheduling/pod-shape.ts';
import { pod, running } from '../controllers/objects.ts';
import { asking, owned } from './situation.ts';

const CLAIM = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const LABELS = { app: 'web' };
const app = { name: 'app', image: 'app:v1' };
const base = (spec: object = {}, metadata: object = {}, name = 'p'): Pod =>
  pod(name, { containers: [app], ...spec }, { labels: LABELS, ...owned('rs1'), ...metadata });
const shared = (other: Pod, priority = 0): boolean => {
  const table = new ShapeTable();
  return table.of(base(), 0) === table.of(other, priority);
};

describe('pods of one shape', () => {
  const alike: Readonly<Record<string, Pod>> = {
    name: base({}, {}, 'another'),
    uid: base({}, { uid: 'u2' }),
    annotations: base({}, { annotations: { note: 'x' } }),
    node: base({ nodeName: 'n1' }),
    status: running(base(), true),
    command: base({ containers: [{ ...app, command: ['sleep'], env: [{ name: 'A', value: 'b' }] }] }),
    limits: base({ containers: [{ ...app, resources: {} }] }),
    restarts: base({ restartPolicy: 'Never' }),
  };
  for (const [what, other] of Object.entries(alike)) it(`may differ in ${what}`, () => assert.ok(shared(other)));

  const affinity = (direction: string): object => ({
    affinity: { [direction]: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } },
  });
  const different: Readonly<Record<string, Pod>> = {
    namespace: base({}, { namespace: 'other' }),
    labels: base({}, { labels: { app: 'db' } }),
    owner: base({}, owned('rs2')),
    termination: base({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    requests: base(asking({ cpu: '1' })),
    image: base({ containers: [{ ...app, image: 'app:v2' }] }),
    'init containers': base({ initContainers: [app] }),
    overhead: base({ overhead: { cpu: '1' } }),
    ports: base({ containers: [{ ...app, ports: [{ containerPort: 80, hostPort: 80 }] }] }),
    'host network': base({ hostNetwork: true }),
    nodeSelector: base({ nodeSelector: { disk: 'ssd' } }),
    'node affinity': base({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }],
          },
        },
      },
    }),
    affinity: base(affinity('podAffinity')),
    'anti-affinity': base(affinity('podAntiAffinity')),
    tolerations: base({ tolerations: [{ operator: 'Exists' }] }),
    spread: base({
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
    }),
    scheduler: base({ schedulerName: 'other' }),
    preemption: base({ preemptionPolicy: 'Never' }),
  };
  for (const [what, other] of Object.entries(different))
    it(`do not differ in ${what}`, () => assert.ok(!shared(other)));
  it('do not differ in priority', () => assert.ok(!shared(base(), 10)));

  const alone: readonly string[] = [
    'requests',
    'image',
    'init containers',
    'overhead',
    'ports',
    'host network',
    'nodeSelector',
    'node affinity',
    'tolerations',
  ];
  for (const [what, other] of Object.entries(different)) {
    const differs = alone.includes(what);
    it(`and pods that differ in ${what} ask ${differs ? 'something else' : 'the same'} of a node`, () => {
      const table = new ShapeTable();
      assert.equal(table.of(base(), 0).asks !== table.of(other, 10).asks, differs);
    });
  }

  describe('that hold one spec, as those of one owner do', () => {
    const { spec, metadata } = base();
    const like = (own: object, more: object = {}): Pod => ({
      ...base(),
      metadata: { ...metadata, ...own },
      spec,
      ...more,
    });
    it('have one shape', () => {
      const table = new ShapeTable();
      assert.equal(table.of(like({ name: 'a' }), 0), table.of(like({ name: 'b' }, { status: {} }), 0));
    });
    const resized = { containerStatuses: [{ name: 'app', allocatedResources: { cpu: '2' } }] };
    const others: Readonly<Record<string, readonly [pod: Pod, priority: number]>> = {
      namespace: [like({ namespace: 'other' }), 0],
      labels: [like({ labels: { app: 'db' } }), 0],
      owner: [like(owned('rs2')), 0],
      termination: [like({ deletionTimestamp: '2026-01-01T00:00:00Z' }), 0],
      priority: [like({}), 10],
      resizing: [like({}, { status: resized }), 0],
    };
    for (const [what, [other, priority]] of Object.entries(others))
      it(`have another one where they differ in ${what}`, () => {
        const table = new ShapeTable();
        const shape = table.of(like({}), 0);
        assert.notEqual(table.of(other, priority), shape);
        assert.equal(table.of(like({}), 0), shape);
      });
    it('have each its own where a claim is made with each', () => {
      const table = new ShapeTable();
      const volumes = [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: CLAIM } } }];
      const own = { ...like({}), spec: base({ volumes }).spec };
      assert.notEqual(table.of(own, 0), table.of({ ...own, metadata: { ...metadata, name: 'another' } }, 0));
    });
  });
});
