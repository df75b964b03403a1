import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

const claim = (spec: string, annotations = '{}'): string =>
  `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, annotations: ${annotations}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, ${spec}}
`;
const VOLUME = `---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, storageClassName: slow, hostPath: {path: /srv/disk}}
`;
const CLASS = `---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: slow}
provisioner: kubernetes.io/no-provisioner
`;
const set = (claim: string): string =>
  `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: a, image: "a:1"}]}}
  volumeClaimTemplates:
  - ${claim}
`;
const told = (text: string): string[] =>
  composeState([parseManifest('a.yaml', 'oid', new TextEncoder().encode(text))], []).diagnostics.map(formatDiagnostic);

describe('the class of a claim', () => {
  it('is one of the repository, of a volume in it, or built in; a claim of a named volume needs none', () => {
    for (const text of [
      claim(''),
      claim('storageClassName: ""'),
      claim('storageClassName: local-path'),
      `${claim('storageClassName: slow')}${VOLUME}`,
      `${claim('storageClassName: slow')}${CLASS}`,
      `${claim('storageClassName: slow, volumeName: disk')}${VOLUME}`,
      claim('storageClassName: local', '{volume.beta.kubernetes.io/storage-class: local}'),
    ])
      assert.deepEqual(told(text), []);
  });

  it('is told where there is none of that name: the claim would wait', () => {
    assert.match(
      told(claim('storageClassName: ceph-block')).join('\n'),
      /^a\.yaml:4:\d+ MissingReference warning: spec\.storageClassName names StorageClass ceph-block, which is in no manifest; its claim waits until/,
    );
    const template =
      '{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}}';
    assert.match(
      told(set(template)).join('\n'),
      /MissingReference warning: spec\.volumeClaimTemplates\[0\]\.spec\.storageClassName names StorageClass fast/,
    );
  });

  it('is not taken from the annotation of old: another one would be', () => {
    const annotations = '{volume.beta.kubernetes.io/storage-class: slow}';
    for (const text of [
      claim('', annotations),
      set(
        `{metadata: {name: data, annotations: ${annotations}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`,
      ),
    ])
      assert.match(
        told(`${text}${CLASS}`).join('\n'),
        /InvalidValue .*annotations\[volume\.beta\.kubernetes\.io\/storage-class\] is not read; write spec\.storageClassName: slow$/,
      );
  });
});
