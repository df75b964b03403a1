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
    ['pods: 10', /^quota\.yaml:6:\d+ UnsupportedField spec\.hard\.pods is not enforced yet/],
    ['requests.cpu: 4', /UnsupportedField spec\.hard\.requests\.cpu is not enforced yet/],
    ['count/replicasets.apps: 4', /UnsupportedField spec\.hard\.count\/replicasets\.apps is not enforced yet/],
    ['service: 1', /UnsupportedField .*did you mean services\?/s],
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
