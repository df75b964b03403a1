/** What a commit is told of its ResourceQuotas, and what their status says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, ResourceQuotaManifest } from '../../../contracts/objects/index.ts';
import { resourceQuotaController } from '../../../reconciler/controllers/resourcequota.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { deployment, pod, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function told(hard: string): string[] {
  const texts = {
    'quota.yaml': `apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec:
  hard:
    ${hard}
`,
    'web.yaml': `apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 81}]}
---
apiVersion: v1
kind: Service
metadata: {name: inner}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: other}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - {name: main, image: x, resources: {requests: {cpu: 100m, memory: 64Mi}}}
    - {name: silent, image: x}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: one}
spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: two}
spec: {accessModes: [ReadWriteOnce], storageClassName: slow, resources: {requests: {storage: 2Gi}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: slow}
provisioner: kubernetes.io/no-provisioner
`,
  };
  const files = Object.entries(texts).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text)));
  return composeState(files, []).diagnostics.map(formatDiagnostic);
}

describe('a quota', () => {
  for (const hard of [
    'services: "2"',
    'services: 2',
    'count/services: 2',
    'services.nodeports: 2',
    'count/deployments.apps: 0',
    'secrets: 0',
    'pods: 1',
    'count/replicasets.apps: 0',
    'requests.example.com/gpu: 4',
    'hugepages-2Mi: 1Gi',
    'requests.storage: 3Gi',
    'fast.storageclass.storage.k8s.io/persistentvolumeclaims: 1',
    'services.loadbalancers: 0',
    'requests.ephemeral-storage: 1Gi',
    'requests.cpu: 1\n  scopes: [Terminating]',
    'pods: 4\n  scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}',
  ]) {
    it(`allows what is no more than ${hard}`, () => assert.deepEqual(told(hard), []));
  }
  for (const [hard, says] of [
    [
      'services: 1',
      /^quota\.yaml:6:\d+ QuotaExceeded namespace default has 2 of services, and ResourceQuota q allows 1/,
    ],
    ['count/services: "1"', /QuotaExceeded namespace default has 2 of count\/services/],
    ['services.nodeports: 1', /QuotaExceeded namespace default has 2 of services\.nodeports/],
    ['services: 1500m', /InvalidValue spec\.hard\.services must be a whole number/],
    [
      'count/widgets.example.com: 4',
      /^quota\.yaml:6:\d+ UnsupportedField spec\.hard\[count\/widgets\.example\.com\] is nothing/,
    ],
    ['requests.kubernetes.io/x: 4', /UnsupportedField/],
    ['service: 1', /UnsupportedField .*did you mean services\?/s],
    ['pods: -1', /InvalidValue spec\.hard\.pods must not be negative/],
    ['requests.example.com/gpu: 500m', /InvalidValue .*must be a whole number/],
    ['persistentvolumeclaims: 1', /QuotaExceeded namespace default has 2 of persistentvolumeclaims/],
    [
      'requests.storage: 2Gi',
      /QuotaExceeded namespace default has 3Gi of requests\.storage, and ResourceQuota q allows 2Gi/,
    ],
    ['fast.storageclass.storage.k8s.io/requests.storage: 500Mi', /has 1Gi of fast\.storageclass/],
    [
      'requests.cpu: 4',
      /^web\.yaml:\d+:\d+ QuotaExceeded spec: must specify requests\.cpu for: silent: ResourceQuota q/,
    ],
    ['limits.memory: 4Gi', /must specify limits\.memory for: main,silent/],
    [
      'requests.memory: 4Gi\n  scopes: [BestEffort]',
      /InvalidValue spec\.hard\[requests\.memory\] cannot be limited for BestEffort/,
    ],
    ['services: 4\n  scopes: [Terminating]', /InvalidValue spec\.hard\.services cannot be limited for Terminating/],
    [
      'pods: 4\n  scopes: [Terminating, NotTerminating]',
      /InvalidValue spec\.scopes has Terminating and NotTerminating/,
    ],
    ['pods: 4\n  scopes: [VolumeAttributesClass]', /InvalidValue spec\.scopes\[0\] must be Terminating/],
    [
      'pods: 4\n  scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In}]}',
      /MissingField .*needs values where operator is In/,
    ],
    [
      'pods: 4\n  scopeSelector: {matchExpressions: [{scopeName: BestEffort, operator: DoesNotExist}]}',
      /must be Exists for BestEffort/,
    ],
  ] as const) {
    it(`refuses ${hard}`, () => assert.match(told(hard).join('\n'), says));
  }

  it('tells how much there is, as it comes and goes', () => {
    const world = new World([resourceQuotaController]);
    const quota = world.put(
      ResourceQuotaManifest.parse({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'q', namespace: 'default' },
        spec: { hard: { services: 3, 'count/deployments.apps': 1, 'services.nodeports': 0 } },
      }),
    );
    const used = (): unknown => world.get(objectKey('ResourceQuota', 'default', quota.metadata.name))?.status?.used;
    for (const object of [service('a'), service('b'), deployment(), pod('p')]) world.put(object);
    world.settle();
    assert.deepEqual(used(), { services: '2', 'count/deployments.apps': '1', 'services.nodeports': '0' });
    world.remove(objectKey('Service', 'default', 'a'));
    world.settle();
    assert.deepEqual(used(), { services: '1', 'count/deployments.apps': '1', 'services.nodeports': '0' });
  });
});
