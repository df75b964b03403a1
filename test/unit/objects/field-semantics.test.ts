import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fieldSemantics, type FieldSemantics } from '../../../contracts/objects/index.ts';

/** At a path such as `spec.ports[].nodePort`, without what is below it. */
function at(kind: string, path: string): Omit<FieldSemantics, 'fields' | 'values'> | undefined {
  let here: FieldSemantics | undefined = fieldSemantics(kind);
  for (const step of path === '' ? [] : path.split(/\.|(?=\[\])/))
    here = step === '[]' ? here?.values : (here?.fields?.[step] ?? here?.values);
  if (!here) return undefined;
  const { fields: _fields, values: _values, ...own } = here;
  return own;
}

const CONTAINER = 'spec.template.spec.containers[]';
const ports = { list: 'map', keyDefaults: { protocol: 'TCP' } } as const;
const name = { list: 'map', keys: ['name'] } as const;

/** As k8s.io/api marks its types: +listType, +listMapKey, +structType, +mapType, +union, and patchStrategy retainKeys. */
const CASES: readonly (readonly [kind: string, path: string, expected: ReturnType<typeof at>])[] = [
  ['Deployment', 'spec.template.spec.containers', name],
  ['Deployment', 'spec.template.spec.initContainers', name],
  ['Deployment', 'spec.template.spec.volumes', name],
  ['Deployment', 'spec.template.spec.schedulingGates', name],
  ['Deployment', `${CONTAINER}.env`, name],
  ['Deployment', `${CONTAINER}.ports`, { ...ports, keys: ['containerPort', 'protocol'] }],
  ['Deployment', `${CONTAINER}.volumeMounts`, { list: 'map', keys: ['mountPath'] }],
  ['Deployment', `${CONTAINER}.args`, {}],
  ['Deployment', `${CONTAINER}.resources.limits`, {}],
  ['Deployment', `${CONTAINER}.env[].valueFrom.secretKeyRef`, { atomic: true }],
  ['Deployment', `${CONTAINER}.env[]`, { union: { members: ['value', 'valueFrom'] } }],
  ['Deployment', `${CONTAINER}.readinessProbe`, { union: { members: ['exec', 'grpc', 'httpGet', 'tcpSocket'] } }],
  ['Deployment', `${CONTAINER}.readinessProbe.httpGet.httpHeaders`, {}],
  [
    'Deployment',
    `${CONTAINER}.securityContext.seccompProfile`,
    { union: { members: ['localhostProfile'], discriminator: 'type' } },
  ],
  [
    'Deployment',
    'spec.template.spec.volumes[]',
    {
      union: {
        members: [
          'configMap',
          'downwardAPI',
          'emptyDir',
          'ephemeral',
          'hostPath',
          'image',
          'nfs',
          'persistentVolumeClaim',
          'projected',
          'secret',
        ],
      },
    },
  ],
  ['Deployment', 'spec.template.spec.nodeSelector', { atomic: true }],
  [
    'Deployment',
    'spec.template.spec.topologySpreadConstraints',
    { list: 'map', keys: ['topologyKey', 'whenUnsatisfiable'] },
  ],
  ['Deployment', 'spec.selector', { atomic: true }],
  ['Deployment', 'spec.strategy', { union: { members: ['rollingUpdate'], discriminator: 'type' } }],
  ['Deployment', 'spec.template.metadata.labels', {}],
  ['Deployment', 'spec.template.spec', { readAs: { serviceAccount: 'serviceAccountName' } }],
  ['Secret', '', { readAs: { stringData: 'data' } }],
  ['Pod', 'spec', { allocated: ['nodeName'], readAs: { serviceAccount: 'serviceAccountName' } }],
  ['Service', 'spec', { allocated: ['clusterIP', 'clusterIPs', 'healthCheckNodePort'] }],
  ['Service', 'spec.selector', { atomic: true }],
  ['Service', 'spec.ports', { ...ports, keys: ['port', 'protocol'] }],
  ['Service', 'spec.ports[]', { allocated: ['nodePort'] }],
  ['PodDisruptionBudget', 'spec.selector', { atomic: true }],
  ['ConfigMap', 'data.ports', {}],
  ['ConfigMap', 'metadata.ownerReferences', { list: 'map', keys: ['uid'] }],
  ['Node', 'metadata.ownerReferences', { list: 'map', keys: ['uid'] }],
  ['Widget', 'metadata.ownerReferences[]', { atomic: true }],
  ['Widget', 'spec', undefined],
];

describe('what is known of a field', () => {
  for (const [kind, path, expected] of CASES)
    it(`${kind} ${path}`, () => {
      assert.deepEqual(at(kind, path), expected);
    });

  it('is plain data', () => {
    const semantics = fieldSemantics('Deployment');
    assert.deepEqual(JSON.parse(JSON.stringify(semantics)), semantics);
    assert.equal(fieldSemantics('Deployment'), semantics, 'and made once');
  });
});
