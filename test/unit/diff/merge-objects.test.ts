import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fieldSemantics, untypedSemantics, type KubeObject } from '../../../contracts/objects/index.ts';
import { mergeObjects, type Manifest } from '../../../reconciler/core/diff/merge-objects.ts';
import { desired } from './states.ts';

interface MergeCase {
  readonly name: string;
  readonly applied?: string;
  readonly desired: string;
  /** Of what `applied`, else `desired`, gives. */
  readonly live: (object: Record<string, unknown>) => unknown;
  /** What to look at. */
  readonly of: (object: unknown) => unknown;
  readonly expected: unknown;
}

const manifestOf = (text: string): Manifest => {
  const [only] = desired(text).values();
  assert.ok(only);
  return only;
};
const pod = (spec: string, container = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i${container}}]${spec}}\n`;
const service = (spec: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]${spec}}\n`;
/** Sets what is at a path of field names and positions. */
function put(object: unknown, path: string, value: unknown): unknown {
  const copy = structuredClone(object);
  const steps = path.split('.');
  const parent = steps
    .slice(0, -1)
    .reduce<Record<string, unknown>>(
      (at, step) => at[step] as Record<string, unknown>,
      copy as Record<string, unknown>,
    );
  parent[steps.at(-1) ?? ''] = value;
  return copy;
}
const get =
  (path: string) =>
  (object: unknown): unknown =>
    path.split('.').reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], object);

const CASES: readonly MergeCase[] = [
  {
    name: "a Service's selector has one owner: what somebody added to it goes",
    desired: service(', selector: {app: a}'),
    live: (o) => put(o, 'spec.selector', { app: 'a', more: 'b' }),
    of: get('spec.selector'),
    expected: { app: 'a' },
  },
  {
    name: "so has a pod's nodeSelector",
    desired: pod(', nodeSelector: {disk: ssd}'),
    live: (o) => put(o, 'spec.nodeSelector', { disk: 'ssd', zone: 'a' }),
    of: get('spec.nodeSelector'),
    expected: { disk: 'ssd' },
  },
  {
    name: 'what goes with another form goes with it, also when nobody knows what was applied',
    desired: pod(', securityContext: {seccompProfile: {type: RuntimeDefault}}'),
    live: (o) => put(o, 'spec.securityContext.seccompProfile', { type: 'Localhost', localhostProfile: 'a.json' }),
    of: get('spec.securityContext.seccompProfile'),
    expected: { type: 'RuntimeDefault' },
  },
  {
    name: 'of an object that Git no longer has, what others put into it stays',
    applied: pod(', securityContext: {runAsUser: 1}'),
    desired: pod(''),
    live: (o) => put(o, 'spec.securityContext.runAsGroup', 2),
    of: get('spec.securityContext'),
    expected: { runAsGroup: 2 },
  },
  {
    name: 'an object that is empty then goes',
    applied: pod(', securityContext: {runAsUser: 1}'),
    desired: pod(''),
    live: (o) => o,
    of: get('spec.securityContext'),
    expected: undefined,
  },
  {
    name: 'an entry of a list goes whole, whatever others put into it',
    applied: pod(', volumes: [{name: v, configMap: {name: x, optional: true}}, {name: w, emptyDir: {}}]'),
    desired: pod(', volumes: [{name: w, emptyDir: {}}]'),
    live: (o) => put(o, 'spec.volumes.0.configMap.items', [{ key: 'a', path: 'b' }]),
    of: get('spec.volumes'),
    expected: [{ name: 'w', emptyDir: { medium: '' } }],
  },
  {
    name: 'ports are told apart by number and protocol',
    applied: pod('', ', ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]'),
    desired: pod('', ', ports: [{containerPort: 53, protocol: UDP, name: dns}]'),
    live: (o) => put(o, 'spec.containers.0.ports.2', { containerPort: 80, protocol: 'TCP' }),
    of: get('spec.containers.0.ports'),
    expected: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { containerPort: 80, protocol: 'TCP' },
    ],
  },
  {
    name: 'finalizers are a set: Git has its own, and those of others stay',
    applied: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [e.com/was, e.com/stays]}\n',
    desired: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [e.com/stays, e.com/new]}\n',
    live: (o) => put(o, 'metadata.finalizers', ['e.com/was', 'e.com/stays', 'e.com/other']),
    of: get('metadata.finalizers'),
    expected: ['e.com/stays', 'e.com/new', 'e.com/other'],
  },
  {
    name: 'finalizers of others stay where Git has none any more',
    applied: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [e.com/was]}\n',
    desired: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: []}\n',
    live: (o) => put(o, 'metadata.finalizers', ['e.com/was', 'e.com/other']),
    of: get('metadata.finalizers'),
    expected: ['e.com/other'],
  },
  {
    name: 'names that mean something elsewhere mean nothing in a map of labels',
    applied: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {value: a, nodeName: node}}\n',
    desired: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {valueFrom: b}}\n',
    live: (o) => put(o, 'metadata.labels.clusterIP', 'x'),
    of: get('metadata.labels'),
    expected: { clusterIP: 'x', valueFrom: 'b' },
  },
];

const deployment = (spec: string, container = ''): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: 'i:1'${container}}]}\n${spec}`;
const CONTAINER = 'spec.template.spec.containers.0';
const scaledTo = (replicas: number) => (o: unknown) => put(o, 'spec.replicas', replicas);

/** Defaults: what Git does not write. */
const DEFAULTS: readonly MergeCase[] = [
  {
    name: 'replicas that Git never wrote stay as somebody set them',
    applied: deployment(''),
    desired: deployment(''),
    live: scaledTo(7),
    of: get('spec.replicas'),
    expected: 7,
  },
  {
    name: 'also when the manifest changes elsewhere',
    applied: deployment(''),
    desired: deployment('  minReadySeconds: 3\n'),
    live: scaledTo(7),
    of: (o) => [get('spec.replicas')(o), get('spec.minReadySeconds')(o)],
    expected: [7, 3],
  },
  {
    name: 'and when nobody knows what was applied',
    desired: deployment(''),
    live: scaledTo(7),
    of: get('spec.replicas'),
    expected: 7,
  },
  {
    name: 'the default written out is written',
    applied: deployment(''),
    desired: deployment('  replicas: 1\n'),
    live: scaledTo(7),
    of: get('spec.replicas'),
    expected: 1,
  },
  {
    name: 'a field that Git stops writing gets its default',
    applied: deployment('  replicas: 5\n'),
    desired: deployment(''),
    live: (o) => o,
    of: get('spec.replicas'),
    expected: 1,
  },
  {
    name: 'so do the fields of an object that Git stops writing',
    applied: deployment('  strategy: {rollingUpdate: {maxSurge: 3}}\n'),
    desired: deployment(''),
    live: (o) => put(o, 'spec.strategy.rollingUpdate.maxUnavailable', 0),
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
  },
  {
    name: 'a default that somebody took away does not come back by itself',
    applied: deployment(''),
    desired: deployment('  minReadySeconds: 3\n'),
    live: (o) => put(o, 'spec.revisionHistoryLimit', undefined),
    of: get('spec.revisionHistoryLimit'),
    expected: undefined,
  },
  {
    name: 'a default that follows from what is written follows it',
    applied: deployment('', ', resources: {limits: {cpu: 1}}'),
    desired: deployment('', ', resources: {limits: {cpu: 2}}'),
    live: (o) => o,
    of: get(`${CONTAINER}.resources`),
    expected: { limits: { cpu: '2' }, requests: { cpu: '2' } },
  },
  {
    name: 'and goes with it, but not what somebody put beside it',
    applied: deployment('', ', resources: {limits: {cpu: 1}}'),
    desired: deployment(''),
    live: (o) => put(o, `${CONTAINER}.resources.requests.memory`, '1Gi'),
    of: get(`${CONTAINER}.resources`),
    expected: { requests: { memory: '1Gi' } },
  },
  {
    name: 'unless somebody made something else of it',
    applied: deployment('', ', resources: {limits: {cpu: 1}}'),
    desired: deployment('', ', resources: {limits: {cpu: 2}}'),
    live: (o) => put(o, `${CONTAINER}.resources.requests.cpu`, '100m'),
    of: get(`${CONTAINER}.resources.requests`),
    expected: { cpu: '100m' },
  },
  {
    name: 'a probe goes whole, with what somebody made of its defaults',
    applied: deployment('', ', livenessProbe: {exec: {command: [a]}}'),
    desired: deployment(''),
    live: (o) => put(o, `${CONTAINER}.livenessProbe.periodSeconds`, 5),
    of: get(`${CONTAINER}.livenessProbe`),
    expected: undefined,
  },
  {
    name: 'a strategy that Git does not write stays as somebody chose it',
    desired: deployment(''),
    live: (o) => put(o, 'spec.strategy', { type: 'Recreate' }),
    of: get('spec.strategy'),
    expected: { type: 'Recreate' },
  },
  {
    name: 'who writes a field of one form writes the form, and gets its defaults',
    applied: deployment(''),
    desired: deployment('  strategy: {rollingUpdate: {maxSurge: 3}}\n'),
    live: (o) => put(o, 'spec.strategy', { type: 'Recreate' }),
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: '25%' } },
  },
  {
    name: 'so does who writes the form alone',
    applied: deployment('  strategy: {type: RollingUpdate}\n'),
    desired: deployment('  strategy: {type: RollingUpdate}\n'),
    live: (o) => put(o, 'spec.strategy', { type: 'Recreate' }),
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  },
  {
    name: 'a volume whose source Git does not write keeps the one that somebody gave it',
    desired: pod(', volumes: [{name: v}]'),
    live: (o) => put(o, 'spec.volumes.0', { name: 'v', hostPath: { path: '/x', type: '' } }),
    of: get('spec.volumes'),
    expected: [{ name: 'v', hostPath: { path: '/x', type: '' } }],
  },
  {
    name: 'a form that Git stops writing is the default one again, whole',
    applied: deployment('  strategy: {type: Recreate}\n'),
    desired: deployment(''),
    live: (o) => o,
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  },
  {
    name: 'also when somebody had made another form of it',
    applied: deployment('  strategy: {type: RollingUpdate}\n'),
    desired: deployment(''),
    live: (o) => put(o, 'spec.strategy', { type: 'Recreate' }),
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  },
  {
    name: 'a form that lacks what belongs to it gets that again',
    desired: deployment(''),
    live: (o) => put(o, 'spec.strategy', { type: 'RollingUpdate' }),
    of: get('spec.strategy'),
    expected: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  },
  {
    name: 'a volume whose source Git stops writing has the default one, and nothing that others put into the old one',
    applied: pod(', volumes: [{name: v, configMap: {name: x}}]'),
    desired: pod(', volumes: [{name: v}]'),
    live: (o) => put(o, 'spec.volumes.0.configMap.items', [{ key: 'a', path: 'b' }]),
    of: get('spec.volumes'),
    expected: [{ name: 'v', emptyDir: { medium: '' } }],
  },
  {
    name: 'but keeps the source that somebody gave it in place of the written one',
    applied: pod(', volumes: [{name: v, configMap: {name: x}}]'),
    desired: pod(', volumes: [{name: v}]'),
    live: (o) => put(o, 'spec.volumes.0', { name: 'v', hostPath: { path: '/x', type: '' } }),
    of: get('spec.volumes'),
    expected: [{ name: 'v', hostPath: { path: '/x', type: '' } }],
  },
  {
    name: 'a form without a default that Git stops writing goes, and what others put in its place',
    applied: pod(', securityContext: {runAsUser: 1, seccompProfile: {type: RuntimeDefault}}'),
    desired: pod(', securityContext: {runAsUser: 1}'),
    live: (o) => put(o, 'spec.securityContext.seccompProfile', { type: 'Localhost', localhostProfile: 'a.json' }),
    of: get('spec.securityContext'),
    expected: { runAsUser: 1 },
  },
  {
    name: 'a value that stands for an absent field writes nothing',
    applied: pod('', ", imagePullPolicy: ''"),
    desired: pod('', ", imagePullPolicy: ''"),
    live: (o) => put(o, 'spec.containers.0.imagePullPolicy', 'Never'),
    of: get('spec.containers.0.imagePullPolicy'),
    expected: 'Never',
  },
  {
    name: 'a Secret of text and one of base64 write the same data',
    applied: 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: x, b: x}\n',
    desired: 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: eA==}\n',
    live: (o) => put(put(o, 'data.c', 'eA=='), 'type', 'kubernetes.io/tls'),
    of: (o) => [get('data')(o), get('type')(o)],
    expected: [{ a: 'eA==', c: 'eA==' }, 'kubernetes.io/tls'],
  },
  {
    name: 'tolerations are one: what is written has the two that every pod gets with it',
    desired: pod(', tolerations: [{key: k, operator: Exists, effect: NoSchedule}]'),
    live: (o) => put(o, 'spec.tolerations', []),
    of: (o) => (get('spec.tolerations')(o) as unknown[]).length,
    expected: 3,
  },
];

describe('a merge', () => {
  for (const { name, applied, desired: wanted, live, of, expected } of [...CASES, ...DEFAULTS])
    it(name, () => {
      const before = applied === undefined ? undefined : manifestOf(applied);
      const there = live(structuredClone((before ?? manifestOf(wanted)).object) as unknown as Record<string, unknown>);
      const object = there as KubeObject;
      const semantics = fieldSemantics(object.kind);
      const merged = mergeObjects(before, manifestOf(wanted), object, semantics);
      assert.deepEqual(of(merged), expected);
      const again = mergeObjects(manifestOf(wanted), manifestOf(wanted), merged, semantics);
      assert.equal(again, merged, 'once more changes nothing');
    });

  it('of an object of a kind without a schema: maps field by field, lists whole', () => {
    const widget = (spec: unknown): KubeObject =>
      ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec }) as unknown as KubeObject;
    const said = (object: KubeObject): Manifest => ({ object, written: { ...object } });
    const merged = mergeObjects(
      said(widget({ size: { wide: 1, high: 1 }, ports: [{ name: 'a' }], old: true })),
      said(widget({ size: { wide: 2 }, ports: [{ name: 'b' }] })),
      widget({ size: { wide: 1, high: 1, deep: 9 }, ports: [{ name: 'a' }, { name: 'x' }], old: true, other: [1] }),
      untypedSemantics(),
    ) as unknown as { spec: unknown };
    assert.deepEqual(merged.spec, { size: { wide: 2, deep: 9 }, ports: [{ name: 'b' }], other: [1] });
  });
});
