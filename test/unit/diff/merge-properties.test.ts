/** The merge of random manifests, and of what others made of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fieldSemantics, KINDS, type KubeObject } from '../../../contracts/objects/index.ts';
import { mergeObjects, type Manifest as AnyManifest } from '../../../reconciler/core/diff/merge-objects.ts';
import { isList, isObject, type JsonObject } from '../../../reconciler/core/fields/json.ts';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';

interface Manifest extends AnyManifest {
  readonly object: KubeObject;
  readonly written: JsonObject;
}

/** Some of what may stand at one place; '': nothing does. */
const oneOf = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom('', ...texts);
const fieldsOf = (...places: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...places).map((texts) => texts.filter((text) => text !== '').join(', '));

const container = fieldsOf(
  fc.constantFrom('name: c', 'name: d'),
  fc.constantFrom("image: 'x:1'", 'image: x'),
  oneOf(
    'env: []',
    'env: [{name: A, value: v}]',
    'env: [{name: A}]',
    'env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]',
    'env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: B, value: q}]',
    "env: [{name: B, value: q}, {name: A, value: '1'}]",
  ),
  oneOf(
    'ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]',
    'ports: [{containerPort: 53, name: a}, {containerPort: 54}]',
  ),
  oneOf(
    'resources: {limits: {cpu: 1}}',
    'resources: {limits: {cpu: 2}, requests: {cpu: 1}}',
    'resources: {requests: {memory: 1Gi}}',
  ),
  oneOf(
    'livenessProbe: {exec: {command: [a]}}',
    'livenessProbe: {httpGet: {port: 80}}',
    'livenessProbe: {tcpSocket: {port: 3}, periodSeconds: 5}',
  ),
  oneOf('lifecycle: {preStop: {exec: {command: [a]}}}', 'lifecycle: {preStop: {sleep: {seconds: 2}}}'),
  oneOf('imagePullPolicy: Always', 'terminationMessagePath: /x', 'command: [a, b]'),
  oneOf(
    'securityContext: {seccompProfile: {type: RuntimeDefault}}',
    'securityContext: {seccompProfile: {type: Localhost, localhostProfile: x}}',
    'securityContext: {runAsUser: 3}',
  ),
  oneOf('envFrom: [{configMapRef: {name: a}}]', 'envFrom: [{secretRef: {name: a}, prefix: b}]'),
);

const podSpec = fieldsOf(
  container.map((text) => `containers: [{${text}}]`),
  oneOf(
    'volumes: []',
    'volumes: [{name: v}]',
    'volumes: [{name: v, emptyDir: {medium: Memory}}]',
    'volumes: [{name: v, configMap: {name: q}}]',
    'volumes: [{name: v, configMap: {name: q, defaultMode: 256, items: [{key: a, path: b}]}}, {name: w}]',
    'volumes: [{name: w, secret: {secretName: s}}, {name: v, hostPath: {path: /x}}]',
  ),
  oneOf('tolerations: [{key: a, operator: Exists}]', 'tolerations: [{operator: Exists}]'),
  oneOf('serviceAccountName: u', 'serviceAccountName: default'),
  oneOf('nodeSelector: {a: b}', 'nodeSelector: {a: c, d: e}'),
  oneOf('terminationGracePeriodSeconds: 9', 'hostNetwork: true'),
  oneOf(
    'topologySpreadConstraints: [{topologyKey: a, maxSkew: 2, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {a: b}}}]',
  ),
  oneOf('securityContext: {fsGroup: 3}', 'securityContext: {seccompProfile: {type: RuntimeDefault}}'),
);

const metadata = fieldsOf(
  fc.constant('name: web'),
  oneOf('labels: {a: b}', 'labels: {a: c, q: r}'),
  oneOf('annotations: {x: z}'),
  oneOf('finalizers: [a.io/b]', 'finalizers: [a.io/c, a.io/b]'),
);

const deployment = fc
  .tuple(
    metadata,
    fieldsOf(
      fc.constant('selector: {matchLabels: {a: b}}'),
      podSpec.map((spec) => `template: {metadata: {labels: {a: b}}, spec: {${spec}}}`),
      oneOf('replicas: 3', 'replicas: 0', 'minReadySeconds: 3'),
      oneOf(
        'strategy: {}',
        'strategy: {type: Recreate}',
        'strategy: {type: RollingUpdate}',
        'strategy: {rollingUpdate: {maxSurge: 1}}',
        'strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 2}}',
      ),
    ),
  )
  .map(([meta, spec]) => `apiVersion: apps/v1\nkind: Deployment\nmetadata: {${meta}}\nspec: {${spec}}\n`);

const service = fc
  .tuple(
    metadata,
    fieldsOf(
      oneOf('type: NodePort', 'type: ClusterIP'),
      oneOf('selector: {a: b}', 'selector: {a: c}'),
      fc.constantFrom(
        'ports: [{port: 80}]',
        'ports: [{port: 80, targetPort: x, name: a}, {port: 80, protocol: UDP, name: b}]',
        'ports: [{port: 81}]',
      ),
      oneOf('sessionAffinity: ClientIP', 'sessionAffinity: None'),
      oneOf('publishNotReadyAddresses: true'),
    ),
  )
  .map(([meta, spec]) => `apiVersion: v1\nkind: Service\nmetadata: {${meta}}\nspec: {${spec}}\n`);

const secret = fc
  .tuple(metadata, oneOf('type: Opaque\n'), oneOf('data: {a: YQ==, b: ""}\n', 'data: {a: Yg==}\n'))
  .map(([meta, type, data]) => `apiVersion: v1\nkind: Secret\nmetadata: {${meta}}\n${type}${data}`);

const read = (text: string): Manifest => {
  const { objects, diagnostics } = parseManifest('a.yaml', 'oid', new TextEncoder().encode(text));
  const [only] = objects;
  assert.ok(only && !diagnostics.some(({ severity }) => severity === 'error'), `${text}${JSON.stringify(diagnostics)}`);
  return only;
};
/** Two manifests of one object, and one that another wrote of it. */
const three = fc.oneof(
  ...[deployment, service, secret].map((kind) => fc.tuple(kind.map(read), kind.map(read), kind.map(read))),
);

/** Without fields that are not there, and what is empty: an empty map and none say the same. */
function said(value: unknown): unknown {
  if (isList(value)) return value.length === 0 ? undefined : value.map(said);
  if (!isObject(value)) return value;
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const told = said(field);
    return told === undefined ? [] : [[name, told] as const];
  });
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}

const merge = (was: Manifest | undefined, now: Manifest, live: KubeObject): KubeObject =>
  mergeObjects(was, now, live, fieldSemantics(live.kind));

describe('a merge of any manifest into any other', () => {
  it('gives what the new one says with its defaults, where nobody else wrote', () => {
    fc.assert(
      fc.property(three, ([was, now]) => {
        const merged = merge(was, now, was.object);
        assert.deepEqual(said(merged), said(now.object));
        assert.equal(merge(now, now, merged), merged);
      }),
      { numRuns: 300 },
    );
  });

  it('gives an object that its kind allows, and is settled, whatever somebody else made of the old one', () => {
    fc.assert(
      fc.property(three, fc.boolean(), ([was, now, other], isKnown) => {
        const merged = merge(isKnown ? was : undefined, now, other.object);
        const { error } = KINDS[merged.kind].manifest?.safeParse(merged) ?? {};
        assert.equal(error, undefined, JSON.stringify((merged as { spec?: unknown }).spec));
        assert.equal(merge(now, now, merged), merged);
      }),
      { numRuns: 300 },
    );
  });
});
