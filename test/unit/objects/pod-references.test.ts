import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, PodManifest, type Pod } from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { referredKeys } from '../../../nodeagent/core/pod/objects.ts';
import { referencesOf } from '../../../reconciler/core/nodes/projection.ts';

const pod: Pod = PodManifest.parse({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'team' },
  spec: {
    initContainers: [{ name: 'init', image: 'app:1', envFrom: [{ secretRef: { name: 'all', optional: true } }] }],
    containers: [
      {
        name: 'main',
        image: 'app:1',
        env: [
          { name: 'PLAIN', value: 'x' },
          { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 'login', key: 'b' } } },
          { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
      },
    ],
    imagePullSecrets: [{ name: 'registry' }],
    volumes: [
      { name: 'scratch', emptyDir: {} },
      { name: 'host', hostPath: { path: '/srv' } },
      { name: 'files', configMap: { name: 'files', items: [{ key: 'k', path: 'k' }] } },
      { name: 'certs', secret: { secretName: 'certs', optional: true } },
    ],
  },
});

describe('what a pod refers to', () => {
  it('is each name, with the keys that it needs and where it says so', () => {
    assert.deepEqual(
      podReferences(pod.spec).map(({ kind, name, keys, optional, path }) => [
        `${kind}/${name}`,
        keys.join(),
        optional,
        path.join('.'),
      ]),
      [
        ['Secret/all', '', true, 'initContainers.0.envFrom.0.secretRef.name'],
        ['ConfigMap/settings', 'a', false, 'containers.0.env.1.valueFrom.configMapKeyRef.name'],
        ['Secret/login', 'b', false, 'containers.0.env.2.valueFrom.secretKeyRef.name'],
        ['Secret/registry', '', true, 'imagePullSecrets.0.name'],
        ['ConfigMap/files', 'k', false, 'volumes.2.configMap.name'],
        ['Secret/certs', '', true, 'volumes.3.secret.secretName'],
      ],
    );
  });

  it('is the same to its node, and to who sends it there', () => {
    const keys = [
      objectKey('Secret', 'team', 'all'),
      objectKey('ConfigMap', 'team', 'settings'),
      objectKey('Secret', 'team', 'login'),
      objectKey('Secret', 'team', 'registry'),
      objectKey('ConfigMap', 'team', 'files'),
      objectKey('Secret', 'team', 'certs'),
    ];
    assert.deepEqual([...referredKeys(pod)], keys);
    assert.deepEqual([...referencesOf(pod)].sort(), keys.sort());
  });
});
