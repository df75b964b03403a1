import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import { checkPlan, planSync, SOURCE_ANNOTATION, type PlanInput } from '../../../reconciler/core/diff/index.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { carryOut, deployment, desired, edited, manifests, NOTHING, planInput, type Live } from './states.ts';

function applied(state: DesiredState): Live {
  return carryOut(new Map(), planSync(planInput({ desired: state })));
}
function refusals(input: Partial<PlanInput>): string[] {
  return checkPlan(planInput(input)).map((d) => `${d.file}:${d.line} ${d.code}`);
}
/** What is refused when a revision follows another. */
function step(before: string, after: string): string[] {
  return refusals({ applied: desired(before), desired: desired(after), live: applied(desired(before)) });
}

const configMap = (rest: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n${rest}`;
const secret = (rest: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: c}\n${rest}`;
const sealed = (rest: string): string =>
  secret(`immutable: true\n${rest}`).replace('{name: c}', '{name: c, namespace: default}');
const cluster = (network: string): string =>
  `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec: {network: ${network}}\n`;
const service = (rest: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: 80}]\n${rest}`;
const priorityClass = (fields: string): string =>
  `apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\n${fields}`;
const sized = (cpu: string, memory?: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: a, image: "a:1", resources: {requests: {cpu: ${cpu}}${memory === undefined ? '' : `, limits: {memory: ${memory}}`}}}]\n`;
const withDeadline = (seconds: number): string => `${pod('a:1', 'x')}  activeDeadlineSeconds: ${seconds}\n`;
const tolerating = (...keys: readonly string[]): string =>
  `${pod('a:1', 'x')}  tolerations: [${keys.map((key) => `{key: ${key}, operator: Exists}`).join(', ')}]\n`;
const gated = (...gates: readonly string[]): string =>
  `${pod('a:1', 'x')}  schedulingGates: [${gates.map((g) => `{name: ${g}}`).join(', ')}]\n`;
const job = (image: string, numbers: string): string =>
  `apiVersion: batch/v1\nkind: Job\nmetadata: {name: task}\nspec:\n${numbers}  template:\n    spec: {restartPolicy: Never, containers: [{name: a, image: "${image}"}]}\n`;
const INDEXED = (count: number): string =>
  `  completionMode: Indexed\n  parallelism: ${count}\n  completions: ${count}\n`;
const pod = (image: string, command: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: a, image: "${image}", command: [${command}]}]\n`;

describe('fields that cannot change', () => {
  const cases: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
    readonly refused: readonly string[];
  }[] = [
    {
      name: "a Deployment's selector",
      before: deployment('web'),
      after: deployment('web', { app: 'other' }),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: 'anything else of a Deployment',
      before: deployment('web'),
      after: deployment('web', { image: 'hello:2', replicas: 5 }),
      refused: [],
    },
    {
      name: "a Job's template",
      before: job('a:1', ''),
      after: job('a:2', ''),
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'how much of a Job runs at once, and whether',
      before: job('a:1', '  parallelism: 1\n  completions: 9\n'),
      after: job('a:1', '  parallelism: 3\n  completions: 9\n  suspend: true\n'),
      refused: [],
    },
    {
      name: "a Job's completions",
      before: job('a:1', '  parallelism: 1\n  completions: 9\n'),
      after: job('a:1', '  parallelism: 1\n  completions: 8\n'),
      refused: ['app.yaml:6 ImmutableField'],
    },
    {
      name: 'the indexes of a Job, together with its parallelism',
      before: job('a:1', INDEXED(3)),
      after: job('a:1', INDEXED(5)),
      refused: [],
    },
    {
      name: "a Service's address",
      before: service('  clusterIP: 10.96.0.5'),
      after: service('  clusterIP: 10.96.0.6'),
      refused: ['app.yaml:6 ImmutableField'],
    },
    {
      name: 'to headless',
      before: service('  clusterIP: 10.96.0.5'),
      after: service('  clusterIP: None'),
      refused: ['app.yaml:6 ImmutableField'],
    },
    {
      name: 'from headless',
      before: service('  clusterIP: None'),
      after: service(''),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: 'an address that is no longer written',
      before: service('  clusterIP: 10.96.0.5'),
      after: service(''),
      refused: [],
    },
    {
      name: 'whose links pods have: to those of a CNI plugin',
      before: cluster('{}'),
      after: cluster('{overlay: cni}'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: 'whose links pods have: from those of a CNI plugin',
      before: cluster('{overlay: cni}'),
      after: cluster('{}'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: 'the domain of names',
      before: cluster('{}'),
      after: `${cluster('{}').replace('spec: {', 'spec: {dns: {domain: lab.example}, ')}`,
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: 'the domain of names, written as it is without',
      before: cluster('{}'),
      after: `${cluster('{}').replace('spec: {', 'spec: {dns: {domain: cluster.local}, ')}`,
      refused: [],
    },
    {
      name: 'how nodes reach pods of each other',
      before: cluster('{}'),
      after: cluster('{overlay: vxlan}'),
      refused: [],
    },
    {
      name: "a Secret's type",
      before: secret('type: Opaque'),
      after: secret('type: example.com/other'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: "a Secret's type whose line goes: it would be the default one",
      before: secret('type: kubernetes.io/tls\nstringData: {tls.crt: a, tls.key: b}'),
      after: secret('stringData: {tls.crt: a, tls.key: b}'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: "the line of a Secret's type that says the default",
      before: secret('type: Opaque'),
      after: secret(''),
      refused: [],
    },
    {
      name: 'data marked immutable',
      before: configMap('immutable: true\ndata: {a: b}'),
      after: configMap('immutable: true\ndata: {a: c}'),
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'the mark itself',
      before: configMap('immutable: true\ndata: {a: b}'),
      after: configMap('data: {a: b}'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: 'labels beside immutable data',
      before: configMap('immutable: true\ndata: {a: b}'),
      after: configMap('immutable: true\ndata: {a: b}').replace('{name: c}', '{name: c, labels: {x: z}}'),
      refused: [],
    },
    {
      name: 'data marked immutable, of which nobody knows whether it is the same',
      before: sealed('stringData: {a: "ENC[AGE,data:QUJD]"}'),
      after: sealed('stringData: {a: "ENC[AGE,data:REVG]"}'),
      refused: [],
    },
    {
      name: 'a key more in such data',
      before: sealed('stringData: {a: "ENC[AGE,data:QUJD]"}'),
      after: sealed('stringData: {a: "ENC[AGE,data:QUJD]", b: c}'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: 'data marked immutable from now on',
      before: configMap('data: {a: b}'),
      after: configMap('immutable: true\ndata: {a: c}'),
      refused: [],
    },
    {
      name: "a Pod's command",
      before: pod('a:1', 'x'),
      after: pod('a:1', 'z'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: "the line of a Pod's node: it stays there",
      before: `${pod('a:1', 'x')}  nodeName: node-1\n`,
      after: pod('a:1', 'x'),
      refused: [],
    },
    { name: 'cpu and memory of a container', before: sized('100m', '1Gi'), after: sized('200m', '2Gi'), refused: [] },
    {
      name: 'cpu and memory of a container whose pod says them as a whole',
      before: `${sized('100m', '1Gi')}  resources: {requests: {cpu: 2}}\n`,
      after: `${sized('200m', '1Gi')}  resources: {requests: {cpu: 2}}\n`,
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'what a pod says as a whole',
      before: `${sized('100m')}  resources: {requests: {cpu: 2}}\n`,
      after: `${sized('100m')}  resources: {requests: {cpu: 3}}\n`,
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: 'a limit that is taken away',
      before: sized('100m', '1Gi'),
      after: sized('100m'),
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'a request where there was none: the pod would be of another QoS class',
      before: sized('100m').replace(', resources: {requests: {cpu: 100m}}', ''),
      after: sized('100m'),
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'another resource',
      before: sized('100m', '1Gi'),
      after: sized('100m', '1Gi').replace('cpu: 100m', 'cpu: 100m, ephemeral-storage: 1Gi'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    { name: 'a deadline that is set', before: pod('a:1', 'x'), after: withDeadline(60), refused: [] },
    { name: 'a deadline that is lowered', before: withDeadline(60), after: withDeadline(5), refused: [] },
    {
      name: 'a deadline that is put off',
      before: withDeadline(5),
      after: withDeadline(60),
      refused: ['app.yaml:6 ImmutableField'],
    },
    {
      name: 'a deadline that is taken away',
      before: withDeadline(5),
      after: pod('a:1', 'x'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    { name: 'a toleration that is added', before: tolerating('a'), after: tolerating('a', 'b'), refused: [] },
    {
      name: 'a toleration that is taken away',
      before: tolerating('a', 'b'),
      after: tolerating('b'),
      refused: ['app.yaml:6 ImmutableField'],
    },
    { name: "a Pod's image", before: pod('a:1', 'x'), after: pod('a:2', 'x'), refused: [] },
    { name: 'a scheduling gate that is taken away', before: gated('a', 'b'), after: gated('b'), refused: [] },
    { name: 'the last scheduling gate', before: gated('a'), after: pod('a:1', 'x'), refused: [] },
    {
      name: 'a scheduling gate that is added',
      before: gated('a'),
      after: gated('a', 'b'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: "a PriorityClass' value",
      before: priorityClass('value: 1\n'),
      after: priorityClass('value: 2\n'),
      refused: ['app.yaml:4 ImmutableField'],
    },
    {
      name: 'whether a PriorityClass preempts',
      before: priorityClass('value: 1\n'),
      after: priorityClass('value: 1\npreemptionPolicy: Never\n'),
      refused: ['app.yaml:5 ImmutableField'],
    },
    {
      name: 'that a PriorityClass does not preempt, whose line goes',
      before: priorityClass('value: 1\npreemptionPolicy: Never\n'),
      after: priorityClass('value: 1\n'),
      refused: ['app.yaml:1 ImmutableField'],
    },
    {
      name: 'the description of a PriorityClass',
      before: priorityClass('value: 1\n'),
      after: priorityClass('value: 1\ndescription: x\nglobalDefault: true\n'),
      refused: [],
    },
  ];
  for (const { name, before, after, refused } of cases) it(name, () => assert.deepEqual(step(before, after), refused));

  it('an allocated address is no change, and neither is a binding', () => {
    const state = desired(manifests(service(''), pod('a:1', 'x')));
    let live = edited(applied(state), 'services/default/web', (o) => ({
      ...o,
      spec: { ...(o as Extract<KubeObject, { kind: 'Service' }>).spec, clusterIP: '10.96.0.9' },
    }));
    live = edited(live, 'pods/default/p', (o) => ({
      ...o,
      spec: { ...(o as Extract<KubeObject, { kind: 'Pod' }>).spec, nodeName: 'node-1' },
    }));
    assert.deepEqual(refusals({ desired: state, live }), []);
    assert.deepEqual(planSync(planInput({ applied: state, desired: state, live })).items, []);
  });

  it('are told with what they would become, as that may be written nowhere', () => {
    const before = desired(priorityClass('value: 1\npreemptionPolicy: Never\n'));
    const [refusal] = checkPlan(
      planInput({ applied: before, desired: desired(priorityClass('value: 1\n')), live: applied(before) }),
    );
    assert.match(refusal?.message ?? '', /it is Never, and would be PreemptLowerPriority$/);
  });

  it('what somebody else set, and Git never wrote, is no change', () => {
    const state = desired(manifests(configMap('data: {a: b}'), pod('a:1', 'x')));
    let live = edited(applied(state), 'configmaps/default/c', (o) => ({ ...o, immutable: true }));
    live = edited(live, 'pods/default/p', (o) => ({
      ...o,
      spec: { ...(o as Extract<KubeObject, { kind: 'Pod' }>).spec, priority: 7 },
    }));
    assert.deepEqual(refusals({ desired: state, live }), []);
    assert.deepEqual(refusals({ applied: state, desired: state, live }), []);
  });

  it('of an object that is being deleted anything can change: it is made anew', () => {
    const before = desired(secret('type: Opaque'));
    const live = edited(applied(before), 'secrets/default/c', (o) => ({
      ...o,
      metadata: { ...o.metadata, deletionTimestamp: '2024-01-01T00:00:00Z', finalizers: ['example.com/x'] },
    }));
    assert.deepEqual(refusals({ applied: before, desired: desired(secret('type: example.com/other')), live }), []);
  });

  it('drift of such a field is put back, not refused', () => {
    const state = desired(deployment('web'));
    const live = edited(applied(state), 'deployments.apps/default/web', (o) => ({
      ...o,
      spec: { ...(o as Extract<KubeObject, { kind: 'Deployment' }>).spec, selector: { matchLabels: { app: 'x' } } },
    }));
    assert.deepEqual(refusals({ applied: state, desired: state, live }), []);
  });
});

describe('objects of others', () => {
  const key: ObjectKey = 'deployments.apps/default/web';
  const state = desired(deployment('web'));
  it("a controller's", () => {
    const live = edited(applied(state), key, (o) => ({
      ...o,
      metadata: {
        ...o.metadata,
        ownerReferences: [{ apiVersion: 'x/v1', kind: 'Thing', name: 't', uid: 'u', controller: true }],
      },
    }));
    const [d] = checkPlan(planInput({ desired: state, live }));
    assert.deepEqual(
      [d?.code, d?.message],
      ['OwnedByController', 'Deployment default/web exists already and belongs to Thing t'],
    );
  });
  it("another source's", () => {
    const live = edited(applied(state), key, (o) => ({
      ...o,
      metadata: { ...o.metadata, annotations: { [SOURCE_ANNOTATION]: 'other' } },
    }));
    assert.deepEqual(refusals({ desired: state, live }), ['app.yaml:1 OwnedByOtherSource']);
  });
});

describe('the prune limit', () => {
  const cluster = (percent: number): string =>
    `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  sync: {maxPrunePercent: ${percent}}\n`;
  const all = ['a', 'b', 'c'].map((name) => deployment(name));
  const before = manifests(cluster(50), ...all);
  it('refuses more, at the line that says so', () =>
    assert.deepEqual(step(before, manifests(cluster(50))), ['app.yaml:5 PruneLimit']));
  it('allows as much', () => assert.deepEqual(step(before, manifests(cluster(50), deployment('a'))), []));
  it('holds as the new revision says it', () => assert.deepEqual(step(before, manifests(cluster(100))), []));
  it('is not there without a Cluster', () =>
    assert.deepEqual(refusals({ applied: desired(before), desired: NOTHING, live: applied(desired(before)) }), []));
});
