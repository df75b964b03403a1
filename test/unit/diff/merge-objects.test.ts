import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { mergeObjects } from '../../../reconciler/core/diff/merge-objects.ts';
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

const objectOf = (text: string): KubeObject => {
  const [only] = desired(text).values();
  assert.ok(only);
  return only.object;
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

describe('a merge', () => {
  for (const { name, applied, desired: wanted, live, of, expected } of CASES)
    it(name, () => {
      const before = applied === undefined ? undefined : objectOf(applied);
      const there = live(structuredClone(before ?? objectOf(wanted)) as unknown as Record<string, unknown>);
      const merged = mergeObjects(before, objectOf(wanted), there as KubeObject);
      assert.deepEqual(of(merged), expected);
      assert.equal(mergeObjects(objectOf(wanted), objectOf(wanted), merged), merged, 'once more changes nothing');
    });

  it('of an object of a kind without a schema: maps field by field, lists whole', () => {
    const widget = (spec: unknown): KubeObject =>
      ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec }) as unknown as KubeObject;
    const merged = mergeObjects(
      widget({ size: { wide: 1, high: 1 }, ports: [{ name: 'a' }], old: true }),
      widget({ size: { wide: 2 }, ports: [{ name: 'b' }] }),
      widget({ size: { wide: 1, high: 1, deep: 9 }, ports: [{ name: 'a' }, { name: 'x' }], old: true, other: [1] }),
    ) as unknown as { spec: unknown };
    assert.deepEqual(merged.spec, { size: { wide: 2, deep: 9 }, ports: [{ name: 'b' }], other: [1] });
  });
});
