import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';

const read = (
  text: string,
): { readonly object: Record<string, unknown>; readonly written: Record<string, unknown> } => {
  const { objects, diagnostics } = parseManifest('a.yaml', 'oid', new TextEncoder().encode(text));
  const [only] = objects;
  assert.ok(only, JSON.stringify(diagnostics));
  return { object: { ...only.object }, written: only.written };
};
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, creationTimestamp: null}
spec:
  revisionHistoryLimit: 0
  progressDeadlineSeconds: null
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      serviceAccount: runner
      dnsPolicy: ''
      hostUsers: true
      os: {name: linux}
      containers:
        - name: c
          image: i
          resources: {limits: {cpu: 0}}
          ports: [{containerPort: 80}]
          env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
`;

describe('what a manifest says', () => {
  it('has none of the defaults, and values as the object has them', () => {
    assert.deepEqual(read(DEPLOYMENT).written, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        revisionHistoryLimit: 0,
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: {
            serviceAccountName: 'runner',
            containers: [
              {
                name: 'c',
                image: 'i',
                resources: { limits: { cpu: '0' } },
                ports: [{ containerPort: 80 }],
                // It has one owner, so that it is whole.
                env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v1' } } }],
              },
            ],
          },
        },
      },
    });
  });

  it('is the very value of the object where it is whole', () => {
    const { object, written } = read('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n');
    assert.equal(written['data'], object['data']);
  });

  it('of a Secret is what of both maps it has', () => {
    const { written } = read(
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: eA==}\nstringData: {b: x}\nimmutable: true\n',
    );
    assert.deepEqual(written['data'], { a: 'eA==', b: 'eA==' });
    assert.deepEqual(Object.keys(written).sort(), ['apiVersion', 'data', 'immutable', 'kind', 'metadata']);
  });
});
