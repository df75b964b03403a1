import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { z } from 'zod';
import { KINDS, objectSchemaMeta, type Kind, type NotYet } from '../../../contracts/objects/index.ts';
import { formatDiagnostic, parseManifest, type ParsedFile } from '../../../reconciler/core/manifests/index.ts';

type Path = readonly (string | number)[];
type Schema = z.core.$ZodTypes;

const probe = { httpGet: { port: 80, httpHeaders: [{ name: 'A', value: 'b' }] } };
const container = {
  name: 'a',
  image: 'a:1',
  ports: [{ containerPort: 80 }],
  volumeMounts: [{ name: 'a', mountPath: '/a' }],
  securityContext: { capabilities: {} },
  resources: {},
  env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
  envFrom: [{ configMapRef: { name: 'a', optional: true } }],
  livenessProbe: probe,
  lifecycle: {},
};
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const pod = {
  containers: [container],
  resources: {},
  securityContext: {},
  volumes: [{ name: 'a', ephemeral: { volumeClaimTemplate: { metadata: {}, spec: claim } } }],
  affinity: {},
  tolerations: [{ operator: 'Exists' }],
};
const template = { metadata: { labels: { a: 'b' } }, spec: pod };
const task = { metadata: template.metadata, spec: { ...pod, restartPolicy: 'Never' } };
const selector = { matchLabels: { a: 'b' } };

/** One manifest of every kind that says enough for each of its schemas to be met. */
const MANIFESTS: Partial<Record<Kind, object>> = {
  Pod: {
    spec: {
      ...pod,
      volumes: [
        { name: 'a', projected: { sources: [{ secret: { name: 'a', optional: true } }] } },
        { name: 'b', emptyDir: {} },
      ],
    },
  },
  Deployment: { spec: { selector, template } },
  ReplicaSet: { spec: { selector, template } },
  ReplicationController: { spec: { template } },
  PodTemplate: { template },
  Lease: { spec: {} },
  StatefulSet: {
    spec: {
      selector,
      template,
      volumeClaimTemplates: [
        {
          metadata: { name: 'a' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  },
  DaemonSet: { spec: { selector, template, updateStrategy: { type: 'OnDelete' } } },
  Job: { spec: { template: task } },
  CronJob: { spec: { schedule: '@hourly', jobTemplate: { spec: { template: task } } } },
  HorizontalPodAutoscaler: {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' }, maxReplicas: 2 },
  },
  Service: { spec: { type: 'NodePort', ports: [{ port: 80 }] } },
  IPAddressPool: { spec: { addresses: ['192.0.2.0/28'] } },
  L2Advertisement: {},
  BGPPeer: { spec: { myASN: 1, peerASN: 2, peerAddress: '192.0.2.1' } },
  BGPAdvertisement: { spec: {} },
  Community: { spec: {} },
  EndpointSlice: { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ port: 80 }] },
  Endpoints: { subsets: [{ addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [{ ip: '192.0.2.2' }] }] },
  PodGroup: { spec: { minMember: 1 } },
  Ingress: { spec: { defaultBackend: { service: { name: 'a', port: { number: 80 } } } } },
  IngressClass: { spec: { controller: 'a.b/c' } },
  Issuer: {
    spec: {
      acme: {
        server: 'https://a.example.com',
        privateKeySecretRef: { name: 'a' },
        externalAccountBinding: { keyID: 'a', keySecretRef: { name: 'a' } },
        solvers: [
          { http01: { ingress: {}, gatewayHTTPRoute: {} } },
          { dns01: { rfc2136: { nameserver: 'a' } } },
          { dns01: { cloudflare: { apiTokenSecretRef: { name: 'a', key: 'a' } } } },
        ],
      },
    },
  },
  ClusterIssuer: { spec: { ca: { secretName: 'a' } } },
  Certificate: { spec: { secretName: 'a', issuerRef: { name: 'a' }, dnsNames: ['a.example.com'] } },
  GatewayClass: { spec: { controllerName: 'a.b/c' } },
  Gateway: {
    spec: {
      gatewayClassName: 'a',
      listeners: [{ name: 'a', port: 443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'a' }] } }],
      infrastructure: {},
    },
  },
  HTTPRoute: { spec: { rules: [{ retry: {} }] } },
  GRPCRoute: { spec: { rules: [{}] } },
  TLSRoute: { spec: { rules: [{ backendRefs: [{ name: 'a', port: 1 }] }] } },
  TCPRoute: { spec: { rules: [{ backendRefs: [{ name: 'a', port: 1 }] }] } },
  BackendTLSPolicy: {
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'a' }],
      validation: { hostname: 'a.example.com', wellKnownCACertificates: 'System' },
    },
  },
  ReferenceGrant: { spec: { from: [{ kind: 'A', namespace: 'a' }], to: [{ kind: 'B' }] } },
  KubeSchedulerConfiguration: { profiles: [{ plugins: { score: { disabled: [{ name: 'NodeAffinity' }] } } }] },
  DeschedulerPolicy: { profiles: [{ name: 'a', plugins: { deschedule: {}, balance: {} } }] },
  Namespace: {},
  ConfigMap: {},
  Secret: {},
  ServiceAccount: {},
  StorageClass: { provisioner: 'nfs.csi.k8s.io', parameters: { server: 's', share: '/' } },
  PersistentVolume: {
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      claimRef: { namespace: 'a', name: 'a' },
      local: { path: '/a' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }] } },
    },
  },
  PersistentVolumeClaim: { spec: claim },
  ResourceQuota: { spec: { hard: { services: 1 } } },
  LimitRange: { spec: { limits: [{ type: 'Container' }] } },
  RuntimeClass: { handler: 'runc' },
  PriorityClass: {},
  PodDisruptionBudget: { spec: { minAvailable: 1 } },
  Cluster: {},
  CustomResourceDefinition: {
    metadata: { name: 'cs.a.b' },
    spec: {
      group: 'a.b',
      names: { plural: 'cs', kind: 'C' },
      scope: 'Cluster',
      conversion: { strategy: 'None' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  },
  SchedulerPlugin: { spec: { score: { expression: '1' } } },
  App: { spec: { path: 'a' } },
  AppSet: {
    spec: { generators: [{ machines: {} }], template: { metadata: { name: '${name}' }, spec: { path: 'a' } } },
  },
  Machine: { spec: { address: 'a', hostKey: 'ssh-ed25519 AAAA' } },
};

interface Place {
  readonly kind: Kind;
  readonly path: Path;
  readonly field: string;
  readonly schema: Schema;
}

/**
 * Calls `visit` for every object schema in `schema`; where `value` is given, for those that it has a value for.
 */
function eachObject(
  schema: Schema,
  visit: (schema: Schema, path: Path) => void,
  value: { readonly at: unknown } | 'any',
  path: Path = [],
): void {
  const { def } = schema._zod;
  const inside = (step: string | number): typeof value =>
    value === 'any' ? 'any' : { at: (value.at as Record<string | number, unknown> | undefined)?.[step] };
  if (value !== 'any' && value.at === undefined) return;
  if ('innerType' in def) eachObject(def.innerType as Schema, visit, value, path);
  else if (def.type === 'pipe')
    eachObject(((def.in as Schema)._zod.def.type === 'transform' ? def.out : def.in) as Schema, visit, value, path);
  else if (def.type === 'union')
    def.options.forEach((option) => {
      eachObject(option as Schema, visit, value, path);
    });
  else if (def.type === 'array')
    for (const i of value !== 'any' && Array.isArray(value.at) ? value.at.keys() : [0])
      eachObject(def.element as Schema, visit, inside(i), [...path, i]);
  else if (def.type === 'object') {
    visit(schema, path);
    for (const [name, inner] of Object.entries(def.shape))
      eachObject(inner as Schema, visit, inside(name), [...path, name]);
  }
}

function notYetOf(schema: Schema): NotYet {
  return objectSchemaMeta.get(schema)?.notYet ?? {};
}

/** Every field of the kind's manifest that is not acted on yet. */
function places(kind: Kind): Place[] {
  const found: Place[] = [];
  eachObject(
    schemaOf(kind),
    (schema, path) => {
      for (const field of Object.keys(notYetOf(schema))) found.push({ kind, path, field, schema });
    },
    { at: manifestOf(kind) },
  );
  return found;
}

function schemaOf(kind: Kind): Schema {
  return KINDS[kind].manifest as unknown as Schema;
}

function manifestOf(kind: Kind): object {
  return { apiVersion: KINDS[kind].apiVersion, kind, metadata: { name: 'a' }, ...MANIFESTS[kind] };
}

function parse(manifest: object): ParsedFile {
  return parseManifest('f.yaml', 'oid', new TextEncoder().encode(JSON.stringify(manifest)));
}

function withField(manifest: object, { path, field }: Place, value: unknown): object {
  const copy = structuredClone(manifest);
  (path.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], copy) as Record<string, unknown>)[
    field
  ] = value;
  return copy;
}

/** No field's default. */
const OTHER = { other: [1] };

describe('fields that are not acted on yet', () => {
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind].manifest);
  const all = kinds.flatMap(places);

  it('are met by the manifests of this table, in every schema that has some', () => {
    const met = new Set(all.map((place) => place.schema));
    const missed = new Set<string>();
    for (const kind of kinds) {
      eachObject(
        schemaOf(kind),
        (schema, path) => {
          if (Object.keys(notYetOf(schema)).length > 0 && !met.has(schema)) missed.add([kind, ...path].join('.'));
        },
        'any',
      );
    }
    assert.deepEqual([...missed], []);
  });

  for (const kind of kinds) {
    const manifest = manifestOf(kind);
    const plain = parse(manifest);
    it(`${kind}: the manifest of this table is accepted`, () =>
      assert.deepEqual(plain.diagnostics.map(formatDiagnostic), []));
    for (const place of all.filter((p) => p.kind === kind)) {
      const accepted = notYetOf(place.schema)[place.field] ?? [];
      const values = accepted === 'anything' ? ['', 'x', 1, OTHER] : accepted;
      const name = [kind, ...place.path, place.field].join('.');
      it(`${name}: ${JSON.stringify(values)} changes nothing`, () => {
        for (const value of [null, ...values]) {
          const read = parse(withField(manifest, place, value));
          assert.deepEqual(read.diagnostics.map(formatDiagnostic), []);
          assert.deepEqual(
            read.objects.map((o) => o.object),
            plain.objects.map((o) => o.object),
          );
        }
      });
      if (accepted === 'anything') continue;
      it(`${name}: anything else is refused by name`, () => {
        const { diagnostics, objects } = parse(withField(manifest, place, OTHER));
        assert.deepEqual(objects, []);
        assert.deepEqual(
          diagnostics.map((d) => d.code),
          ['UnsupportedField'],
        );
        assert.match(
          diagnostics[0]?.message ?? '',
          new RegExp(`\\b${place.field} is (?:a Kubernetes field|written by the server)`),
        );
      });
    }
  }
});
