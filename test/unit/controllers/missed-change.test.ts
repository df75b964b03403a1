/**
 * What changed while nobody looked is found by a start, which asks for objects that are there and for no others: each
 * controller judges by what there is, and one with work at the end of its own object hears of that end.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CronJobManifest,
  CustomResourceDefinitionManifest,
  DaemonSetManifest,
  DRAIN_TAINT,
  EndpointsManifest,
  HorizontalPodAutoscalerManifest,
  IngressManifest,
  isKeyOf,
  JobManifest,
  kindOfKey,
  NamespaceManifest,
  NetworkPolicyManifest,
  objectKey,
  PersistentVolumeClaimManifest,
  PersistentVolumeManifest,
  PodDisruptionBudgetManifest,
  PodGroupManifest,
  POD_GROUP_LABEL,
  ReplicationControllerManifest,
  ResourceQuotaManifest,
  ServiceManifest,
  StatefulSetManifest,
  type Deployment,
  type Kind,
  type KubeObject,
  type Machine,
  type Node,
  type ObjectKey,
  type Pod,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { kindsOf } from '../../../reconciler/controllers/runtime/controller.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { cluster, deployment, machine, node, pod, running, service } from './objects.ts';
import { World } from './world.ts';

const template = (app: string): object => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'app', image: 'app:v1' }] },
});
const inDefault = (name: string): object => ({ name, namespace: 'default' });
const scratch = {
  volumes: [
    {
      name: 'scratch',
      ephemeral: {
        volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      },
    },
  ],
};
const task = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'task:v1' }] } } };

/** Some of everything that a controller works on. */
const OBJECTS: readonly KubeObject[] = [
  cluster(),
  NamespaceManifest.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }),
  NamespaceManifest.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }),
  { ...pod('elsewhere'), metadata: { name: 'elsewhere', namespace: 'other' } },
  machine('n1'),
  {
    ...node('n1'),
    metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } },
    status: { ...node('n1').status, addresses: [{ type: 'InternalIP', address: '198.18.0.11' }] },
  },
  deployment({ replicas: 1 }),
  service('web'),
  {
    ...running(pod('lone', { nodeName: 'n1', ...scratch }), true, undefined, '198.19.1.9'),
    metadata: { name: 'lone', namespace: 'default' },
  },
  pod('grouped', {}, { labels: { [POD_GROUP_LABEL]: 'gang' } }),
  PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: inDefault('gang'),
    spec: { minMember: 1 },
  }),
  ReplicationControllerManifest.parse({
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: inDefault('old'),
    spec: { replicas: 1, selector: { app: 'old' }, template: template('old') },
  }),
  DaemonSetManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: inDefault('agent'),
    spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
  }),
  StatefulSetManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: inDefault('db'),
    spec: { serviceName: 'db', replicas: 1, selector: { matchLabels: { app: 'db' } }, template: template('db') },
  }),
  JobManifest.parse({ apiVersion: 'batch/v1', kind: 'Job', metadata: inDefault('task'), spec: task }),
  CronJobManifest.parse({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: inDefault('nightly'),
    spec: { schedule: '0 3 * * *', jobTemplate: { spec: task } },
  }),
  PersistentVolumeManifest.parse({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/srv/disk' },
      storageClassName: 'disks',
    },
  }),
  PersistentVolumeClaimManifest.parse({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: inDefault('data'),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'disks' },
  }),
  PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: inDefault('web'),
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  }),
  HorizontalPodAutoscalerManifest.parse({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: inDefault('web'),
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 },
  }),
  ResourceQuotaManifest.parse({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: inDefault('all'),
    spec: { hard: { 'count/pods': '100' } },
  }),
  NetworkPolicyManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: inDefault('walls'),
    spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
  }),
  IngressManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: inDefault('web'),
    spec: { ingressClassName: 'plumbline', defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  }),
  IngressManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...inDefault('secured'), annotations: { 'cert-manager.io/issuer': 'own' } },
    spec: {
      ingressClassName: 'plumbline',
      tls: [{ hosts: ['shop.example'], secretName: 'shop' }],
      defaultBackend: { service: { name: 'web', port: { number: 80 } } },
    },
  }),
  ServiceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: inDefault('outside'),
    spec: { ports: [{ port: 80 }] },
  }),
  EndpointsManifest.parse({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: inDefault('outside'),
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
  }),
  CustomResourceDefinitionManifest.parse({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'toys.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'toys', singular: 'toy', kind: 'Toy' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  }),
];

function settled(): World {
  const w = new World(allControllers());
  for (const object of OBJECTS) w.put(object);
  w.settle();
  return w;
}

/** The same, after this happened and nobody heard of it. */
function restarted(before: World, meanwhile: (objects: Map<ObjectKey, KubeObject>) => void): World {
  const objects = new Map<ObjectKey, KubeObject>(before.objects);
  meanwhile(objects);
  const w = new World([]);
  for (const object of objects.values()) w.put(object);
  return successor(w);
}

/** Another control plane's view of the same objects, before it begins. */
function successor({ objects, now }: World): World {
  const w = new World(allControllers());
  for (const [key, object] of objects) w.objects.set(key, object);
  w.now = now;
  return w;
}

const at = (kind: Kind, name: string): ObjectKey => objectKey(kind, 'default', name);
const MACHINE = objectKey('Machine', undefined, 'n1');
const NODE = objectKey('Node', undefined, 'n1');
const LONE = objectKey('Pod', 'default', 'lone');
const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };

function change<T extends KubeObject>(key: ObjectKey, to: (object: T) => KubeObject) {
  return (objects: Map<ObjectKey, KubeObject>): void => {
    const object = objects.get(key);
    assert.ok(object, key);
    objects.set(key, to(object as T));
  };
}
function remove(...keys: readonly (ObjectKey | ((key: ObjectKey) => boolean))[]) {
  return (objects: Map<ObjectKey, KubeObject>): void => {
    const gone = [...objects.keys()].filter((key) =>
      keys.some((one) => (typeof one === 'string' ? one === key : one(key))),
    );
    assert.ok(gone.length >= keys.length);
    for (const key of gone) objects.delete(key);
  };
}
const withoutStatus = (object: KubeObject): KubeObject => {
  const { status: _status, ...rest } = object as Stored & { status?: unknown };
  return rest;
};
const tainted =
  (key: string) =>
  (objects: Map<ObjectKey, KubeObject>): void => {
    for (const place of [MACHINE, NODE])
      change<Machine | Node>(
        place,
        (o) => ({ ...o, spec: { ...o.spec, taints: [{ key, effect: 'NoExecute' }] } }) as KubeObject,
      )(objects);
  };
const ofApp = (w: World, app: string): readonly StoredPod[] => w.labelled('Pod', 'app', app);
const isPodOf = (name: string) => (key: ObjectKey) => isKeyOf(key, 'Pod') && key.includes(`/${name}-`);

const ROWS: readonly {
  title: string;
  by: string;
  meanwhile: (objects: Map<ObjectKey, KubeObject>) => void;
  holds: (w: World) => boolean;
}[] = [
  {
    title: 'the namespace default is gone',
    by: 'standing-namespaces-controller',
    meanwhile: remove(objectKey('Namespace', undefined, 'default')),
    holds: (w) => w.list('Namespace').length === 3,
  },
  {
    title: 'a namespace was told to go',
    by: 'namespace-controller',
    meanwhile: change(objectKey('Namespace', undefined, 'other'), (n) => ({
      ...n,
      metadata: { ...n.metadata, finalizers: ['example.com/x'], deletionTimestamp: DELETED.deletionTimestamp },
    })),
    holds: (w) => w.list('Pod', 'other').length === 0,
  },
  {
    title: 'the account of pods that name none is gone',
    by: 'serviceaccount-controller',
    meanwhile: remove(at('ServiceAccount', 'default')),
    holds: (w) => w.get(at('ServiceAccount', 'default')) !== undefined,
  },
  {
    title: 'what is said of a definition is gone',
    by: 'customresourcedefinition-controller',
    meanwhile: change(objectKey('CustomResourceDefinition', undefined, 'toys.example.com'), withoutStatus),
    holds: (w) => w.list('CustomResourceDefinition')[0]?.status !== undefined,
  },
  {
    title: 'addresses that a policy names are gone',
    by: 'networkpolicy-controller',
    meanwhile: remove((key) => isKeyOf(key, 'PeerSlice')),
    holds: (w) => w.list('PeerSlice').some(({ members }) => members.length > 0),
  },
  {
    title: 'what a proxy has to do is gone',
    by: 'gateway-controller',
    meanwhile: remove((key) => isKeyOf(key, 'ProxyConfig')),
    holds: (w) => w.list('ProxyConfig').length === 1,
  },
  {
    title: 'a certificate that an Ingress asks for is gone',
    by: 'certificate-shim',
    meanwhile: remove((key) => isKeyOf(key, 'Certificate')),
    holds: (w) => w.list('Certificate').length === 1,
  },
  {
    title: 'a slice of Endpoints is gone',
    by: 'endpointslicemirroring-controller',
    meanwhile: remove((key) => isKeyOf(key, 'EndpointSlice') && key.includes('/outside-')),
    holds: (w) => w.list('EndpointSlice').some(({ metadata }) => metadata.name.startsWith('outside-')),
  },
  {
    title: 'a node is gone',
    by: 'machine-controller',
    meanwhile: remove(NODE),
    holds: (w) => w.get(NODE) !== undefined,
  },
  {
    title: 'a machine is gone',
    by: 'node-lifecycle-controller',
    meanwhile: remove(MACHINE),
    holds: (w) => w.get(NODE) === undefined,
  },
  {
    title: 'a pod of a ReplicaSet is gone',
    by: 'replicaset-controller',
    meanwhile: remove(isPodOf('web')),
    holds: (w) => ofApp(w, 'web').length === 1,
  },
  {
    title: 'a pod of a ReplicationController is gone',
    by: 'replication-controller',
    meanwhile: remove(isPodOf('old')),
    holds: (w) => ofApp(w, 'old').length === 1,
  },
  {
    title: 'a ReplicaSet is gone',
    by: 'deployment-controller',
    meanwhile: remove((key) => isKeyOf(key, 'ReplicaSet')),
    holds: (w) => w.list('ReplicaSet').length === 1,
  },
  {
    title: 'a pod of a DaemonSet is gone',
    by: 'daemonset-controller',
    meanwhile: remove(isPodOf('agent')),
    holds: (w) => ofApp(w, 'agent').length === 1,
  },
  {
    title: 'a pod of a StatefulSet is gone',
    by: 'statefulset-controller',
    meanwhile: remove(isPodOf('db')),
    holds: (w) => w.get(objectKey('Pod', 'default', 'db-0')) !== undefined,
  },
  {
    title: 'a pod of a Job has succeeded',
    by: 'job-controller',
    meanwhile: (objects) => {
      const [key] = [...objects.keys()].filter(isPodOf('task'));
      assert.ok(key);
      change<Pod>(key, (p) => ({ ...p, status: { phase: 'Succeeded' } }))(objects);
    },
    holds: (w) => w.get(objectKey('Job', 'default', 'task'))?.status?.succeeded === 1,
  },
  {
    title: 'a Job is gone, and a pod that has ended waits for it',
    by: 'job-orphans-controller',
    meanwhile: (objects) => {
      const [key] = [...objects.keys()].filter(isPodOf('task'));
      assert.ok(key);
      change<Pod>(key, (p) => ({
        ...p,
        metadata: { ...p.metadata, deletionTimestamp: DELETED.deletionTimestamp },
        spec: { ...p.spec, nodeName: 'n1' },
        status: { phase: 'Succeeded' },
      }))(objects);
      remove(at('Job', 'task'))(objects);
    },
    holds: (w) => !w.list('Pod').some(({ metadata }) => metadata.name.startsWith('task-')),
  },
  {
    title: 'the last slot of a CronJob was long ago',
    by: 'cronjob-controller',
    meanwhile: change(at('CronJob', 'nightly'), (c) => ({
      ...c,
      metadata: { ...c.metadata, creationTimestamp: '2025-12-30T00:00:00Z' },
    })),
    holds: (w) => w.list('Job').some(({ metadata }) => metadata.name.startsWith('nightly-')),
  },
  {
    title: 'a node has a NoExecute taint',
    by: 'taint-eviction-controller',
    meanwhile: tainted('example.com/broken'),
    holds: (w) => w.get(LONE)?.metadata.deletionTimestamp !== undefined,
  },
  {
    title: 'a node is drained',
    by: 'node-drain-controller',
    meanwhile: tainted(DRAIN_TAINT),
    holds: (w) => w.get(LONE)?.metadata.deletionTimestamp !== undefined,
  },
  {
    title: 'a Service has no address',
    by: 'service-controller',
    meanwhile: change(at('Service', 'web'), () => service('web')),
    holds: (w) => w.get(objectKey('Service', 'default', 'web'))?.spec.clusterIP !== undefined,
  },
  {
    title: 'an EndpointSlice is gone',
    by: 'endpointslice-controller',
    meanwhile: remove((key) => isKeyOf(key, 'EndpointSlice')),
    holds: (w) => w.list('EndpointSlice').length === 2,
  },
  {
    title: 'what a budget allows is gone',
    by: 'disruption-controller',
    meanwhile: change(at('PodDisruptionBudget', 'web'), withoutStatus),
    holds: (w) => w.list('PodDisruptionBudget')[0]?.status?.expectedPods === 1,
  },
  {
    title: 'a claim is gone',
    by: 'persistentvolume-controller',
    meanwhile: remove(at('PersistentVolumeClaim', 'data')),
    holds: (w) => w.list('PersistentVolume')[0]?.status?.phase === 'Released',
  },
  {
    title: 'a claim that nobody uses was told to go',
    by: 'persistentvolumeclaim-controller',
    meanwhile: change(at('PersistentVolumeClaim', 'data'), (c) => ({
      ...c,
      metadata: { ...c.metadata, deletionTimestamp: DELETED.deletionTimestamp },
    })),
    holds: (w) => w.get(at('PersistentVolumeClaim', 'data')) === undefined,
  },
  {
    title: 'the claim of a generic ephemeral volume is gone',
    by: 'ephemeral-volume-controller',
    meanwhile: remove(at('PersistentVolumeClaim', 'lone-scratch')),
    holds: (w) => w.get(at('PersistentVolumeClaim', 'lone-scratch')) !== undefined,
  },
  {
    title: 'how far a PodGroup is, is gone',
    by: 'podgroup-controller',
    meanwhile: change(at('PodGroup', 'gang'), withoutStatus),
    holds: (w) => w.list('PodGroup')[0]?.status?.phase !== undefined,
  },
  {
    title: 'how much a quota counted is gone',
    by: 'resourcequota-controller',
    meanwhile: change(at('ResourceQuota', 'all'), withoutStatus),
    holds: (w) => w.list('ResourceQuota')[0]?.status?.used !== undefined,
  },
  {
    title: 'there are more pods than an autoscaler allows',
    by: 'horizontal-pod-autoscaler',
    meanwhile: change<Deployment>(at('Deployment', 'web'), (d) => ({ ...d, spec: { ...d.spec, replicas: 5 } })),
    holds: (w) => w.get(objectKey('Deployment', 'default', 'web'))?.spec.replicas === 3,
  },
  {
    title: 'a machine and its node are gone',
    by: 'pod-garbage-collector',
    meanwhile: remove(MACHINE, NODE),
    holds: (w) => w.get(LONE) === undefined,
  },
  {
    title: 'a pod without a node was told to go',
    by: 'pod-garbage-collector',
    meanwhile: change<Pod>(at('Pod', 'grouped'), (p) => ({ ...p, metadata: { ...p.metadata, ...DELETED } })),
    holds: (w) => w.get(at('Pod', 'grouped')) === undefined,
  },
  {
    title: 'a Deployment is gone',
    by: 'garbage-collector',
    meanwhile: remove(at('Deployment', 'web')),
    holds: (w) => w.list('ReplicaSet').length === 0 && ofApp(w, 'web').length === 0,
  },
];

describe('a start finds what changed while nobody looked:', () => {
  for (const { title, meanwhile, holds } of ROWS)
    it(title, () => {
      const before = settled();
      const w = restarted(before, meanwhile);
      assert.ok(!holds(w), 'there is something to do');
      w.resync();
      w.settle();
      assert.ok(holds(w), 'it was done');
    });

  it('of every controller', () => {
    const byTheClock = allControllers()
      .filter((one) => one.actsByTheClock)
      .map(({ name }) => name);
    const shown = new Set([...ROWS.map(({ by }) => by), ...byTheClock]);
    assert.deepEqual(
      allControllers().flatMap(({ name }) => (shown.has(name) ? [] : [name])),
      [],
    );
  });
});

describe('the end of an object', () => {
  it('begins work of its own only where the controller hears of it', () => {
    const before = settled();
    const seen = new Set<string>();
    for (const key of before.objects.keys()) {
      const w = successor(before);
      w.objects.delete(key);
      for (const controller of allControllers()) {
        if (!kindsOf(controller).includes(kindOfKey(key))) continue;
        seen.add(controller.name);
        const decided = controller.decide(key, w.context);
        const { steps } = 'steps' in decided ? decided : finish(decided);
        assert.ok(steps.length === 0 || controller.worksOnGone === true, `${controller.name}: ${key}`);
      }
    }
    assert.ok(seen.size > 20, [...seen].join(' '));
  });
});
