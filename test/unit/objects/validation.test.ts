import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS, parseQuantity, type Kind, type KubeObject } from '../../../contracts/objects/index.ts';
import { composeState, parseManifest, type ParsedFile } from '../../../reconciler/core/manifests/index.ts';

function parse(text: string): ParsedFile {
  return parseManifest('f.yaml', 'oid', new TextEncoder().encode(text));
}

function manifest(kind: Kind, body: string, metadata = ''): string {
  return `apiVersion: ${KINDS[kind].apiVersion}\nkind: ${kind}\nmetadata: {name: a${metadata === '' ? '' : `, ${metadata}`}}\n${body}\n`;
}

/** What a manifest is refused for, without the words that say why: codes and fields. */
function refusals(text: string): string[] {
  return parse(text).diagnostics.map(
    (d) => `${d.code} ${d.message.split(' ')[d.message.startsWith('the key ') ? 2 : 0] ?? ''}`,
  );
}

const pod = (spec: string): string =>
  manifest('Pod', `spec: {containers: [{name: a, image: "a:1"}]${spec === '' ? '' : `, ${spec}`}}`);
const container = (fields: string): string =>
  manifest('Pod', `spec: {containers: [{name: a, ${fields.includes('image:') ? fields : `image: "a:1", ${fields}`}}]}`);
const volume = (source: string): string => pod(`volumes: [{name: v, ${source}}]`);
const resources = (fields: string): string => container(`resources: {${fields}}`);
const secret = (type: string, data: string, metadata?: string): string =>
  manifest('Secret', `type: ${type}\nstringData: ${data}`, metadata);
const service = (spec: string): string => manifest('Service', `spec: {${spec}}`);
const deployment = (fields: string): string =>
  manifest(
    'Deployment',
    `spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "a:1"}]}}, ${fields}}`,
  );
const C = 'spec.containers[0]';
const BIG = 'x'.repeat(1024);

describe('what Kubernetes refuses', () => {
  const cases: readonly (readonly [string, string, string[]])[] = [
    ['a certificate without its key', secret('kubernetes.io/tls', '{tls.crt: a}'), ['MissingField data[tls.key]']],
    [
      'a certificate with neither',
      secret('kubernetes.io/tls', '{a: b}'),
      ['MissingField data[tls.crt]', 'MissingField data[tls.key]'],
    ],
    [
      'a login without a name and a password',
      secret('kubernetes.io/basic-auth', '{}'),
      ['MissingField data.password', 'MissingField data.username'],
    ],
    [
      'an empty SSH key',
      secret('kubernetes.io/ssh-auth', '{ssh-privatekey: ""}'),
      ['MissingField data.ssh-privatekey'],
    ],
    ['no registry login', secret('kubernetes.io/dockerconfigjson', '{a: b}'), ['MissingField data[.dockerconfigjson]']],
    [
      'a registry login that is no JSON',
      secret('kubernetes.io/dockerconfigjson', '{.dockerconfigjson: "{"}'),
      ['InvalidValue stringData[.dockerconfigjson]'],
    ],
    [
      'a token of nobody',
      secret('kubernetes.io/service-account-token', '{}'),
      ['MissingField metadata.annotations[kubernetes.io/service-account.name]'],
    ],
    ['a type that objects inherit is a type of its own', secret('constructor', '{}'), []],
    ['the key .', manifest('ConfigMap', 'data: {.: a}'), ['InvalidValue "."']],
    ['the key ..', manifest('Secret', 'stringData: {..: a}'), ['InvalidValue ".."']],
    ['a key that begins with ..', manifest('ConfigMap', 'binaryData: {..data: YQ==}'), ['InvalidValue "..data"']],
    [
      'more than a mebibyte',
      manifest('ConfigMap', `data: {a: &a ${BIG.repeat(512)}, b: *a, c: *a}`),
      ['InvalidValue data'],
    ],
    [
      'more than 256 KiB of annotations',
      manifest('ConfigMap', '', `annotations: {a: ${BIG.repeat(256)}}`),
      ['InvalidValue metadata.annotations'],
    ],
    ['replicas beyond int32', deployment('replicas: 2147483648'), ['InvalidValue spec.replicas']],
    [
      'a deadline beyond int32',
      deployment('progressDeadlineSeconds: 3000000000'),
      ['InvalidValue spec.progressDeadlineSeconds'],
    ],
    ['a list for the strategy', deployment('strategy: []'), ['WrongType spec.strategy']],
    ['a negative user', pod('securityContext: {runAsUser: -1}'), ['InvalidValue spec.securityContext.runAsUser']],
    ['a negative group of files', pod('securityContext: {fsGroup: -1}'), ['InvalidValue spec.securityContext.fsGroup']],
    [
      'a negative further group',
      pod('securityContext: {supplementalGroups: [1, -2]}'),
      ['InvalidValue spec.securityContext.supplementalGroups[1]'],
    ],
    [
      'a user beyond int32',
      container('securityContext: {runAsUser: 2147483648}'),
      [`InvalidValue ${C}.securityContext.runAsUser`],
    ],
    [
      'privileged without escalation',
      container('securityContext: {privileged: true, allowPrivilegeEscalation: false}'),
      [`InvalidValue ${C}.securityContext.allowPrivilegeEscalation`],
    ],
    [
      'CAP_SYS_ADMIN without escalation',
      container('securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}'),
      [`InvalidValue ${C}.securityContext.allowPrivilegeEscalation`],
    ],
    ['dnsPolicy None without servers', pod('dnsPolicy: None'), ['MissingField spec.dnsConfig']],
    [
      'a header that is none',
      container('livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: "a b", value: c}]}}'),
      [`InvalidValue ${C}.livenessProbe.httpGet.httpHeaders[0].name`],
    ],
    [
      'a prefix with =',
      container('envFrom: [{prefix: "a=", configMapRef: {name: a, optional: true}}]'),
      [`InvalidValue ${C}.envFrom[0].prefix`],
    ],
    ['an image with a space before it', container('image: " a:1"'), [`InvalidValue ${C}.image`]],
    ['an image with a line end', container('image: "a:1\\n"'), [`InvalidValue ${C}.image`]],
    [
      'a key of a ConfigMap with /',
      container('env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: a/b, optional: true}}}]'),
      [`InvalidValue ${C}.env[0].valueFrom.configMapKeyRef.key`],
    ],
    ['a negative size', volume('emptyDir: {sizeLimit: -1Gi}'), ['InvalidValue spec.volumes[0].emptyDir.sizeLimit']],
    [
      'a file outside the volume',
      volume('configMap: {name: a, optional: true, items: [{key: a, path: ../a}]}'),
      ['InvalidValue spec.volumes[0].configMap.items[0].path'],
    ],
    [
      'a file that a volume keeps its versions in',
      volume('secret: {secretName: a, optional: true, items: [{key: a, path: ..data}]}'),
      ['InvalidValue spec.volumes[0].secret.items[0].path'],
    ],
    [
      'a file without a name',
      volume('secret: {secretName: a, optional: true, items: [{key: a, path: ""}]}'),
      ['InvalidValue spec.volumes[0].secret.items[0].path'],
    ],
    ['two sources of a volume', volume('emptyDir: {}, hostPath: {path: /a}'), ['InvalidValue spec.volumes[0]']],
    [
      'a sleep beyond the end',
      container('lifecycle: {preStop: {sleep: {seconds: 31}}}'),
      [`InvalidValue ${C}.lifecycle.preStop.sleep.seconds`],
    ],
    [
      'huge pages alone',
      resources('limits: {hugepages-2Mi: 4Mi}'),
      [`InvalidValue ${C}.resources.limits.hugepages-2Mi`],
    ],
    [
      'half a huge page',
      resources('limits: {hugepages-2Mi: 3Mi, cpu: 1}'),
      [`InvalidValue ${C}.resources.limits.hugepages-2Mi`],
    ],
    [
      'huge pages that differ',
      resources('limits: {hugepages-2Mi: 4Mi, cpu: 1}, requests: {hugepages-2Mi: 2Mi}'),
      [`InvalidValue ${C}.resources.requests.hugepages-2Mi`],
    ],
    [
      'huge pages of no size',
      resources('limits: {hugepages-x: 4Mi, cpu: 1}'),
      [`UnknownResource ${C}.resources.limits.hugepages-x`],
    ],
    [
      'two mounts at one path',
      `${manifest('Pod', 'spec: {volumes: [{name: v}], containers: [{name: a, image: "a:1", volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]}]}')}`,
      [`DuplicateName ${C}.volumeMounts[1].mountPath`],
    ],
    ['one name of two containers', pod('initContainers: [{name: a, image: "a:1"}]'), [`DuplicateName ${C}.name`]],
    ['no ports', service('selector: {a: b}'), ['MissingField spec.ports']],
    ['no ports of type NodePort', service('type: NodePort, ports: []'), ['MissingField spec.ports']],
    [
      'one node port twice',
      service('type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 30000}]'),
      ['DuplicateName spec.ports[1].nodePort'],
    ],
    [
      'a policy for traffic from outside that there is none of',
      service('externalTrafficPolicy: Cluster, ports: [{port: 80}]'),
      ['ForbiddenField spec.externalTrafficPolicy'],
    ],
    [
      'addresses that differ',
      service('clusterIP: 10.96.0.9, clusterIPs: [10.96.0.10], ports: [{port: 80}]'),
      ['InvalidValue spec.clusterIPs'],
    ],
    [
      'both bounds of a budget',
      manifest('PodDisruptionBudget', 'spec: {minAvailable: 1, maxUnavailable: 1}'),
      ['InvalidValue spec'],
    ],
    [
      'a toleration of everything that is equal',
      pod('tolerations: [{key: "", operator: Equal}]'),
      ['MissingField spec.tolerations[0].key'],
    ],
    ['a quantity of nothing', resources('limits: {cpu: ""}'), [`InvalidValue ${C}.resources.limits.cpu`]],
  ];
  for (const [name, text, expected] of cases) it(name, () => assert.deepEqual(refusals(text), expected));
});

describe('what Kubernetes accepts', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['one half of a login', secret('kubernetes.io/basic-auth', '{username: a}')],
    [
      'a token of somebody',
      secret(
        'kubernetes.io/service-account-token',
        '{token: YQ==}',
        'annotations: {kubernetes.io/service-account.name: a}',
      ),
    ],
    ['capital letters before the / of an annotation', manifest('ConfigMap', '', 'annotations: {Example.COM/Owner: a}')],
    ['a budget without bounds', manifest('PodDisruptionBudget', 'spec: {}')],
    ['a class without a value', manifest('PriorityClass', '')],
    ['everything tolerated', pod('tolerations: [{key: "", operator: Exists, effect: "", value: ""}]')],
    ['a headless Service without ports', service('clusterIP: None')],
    [
      'a Service that says its address twice',
      service('clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ports: [{port: 80}]'),
    ],
    [
      'names of nodes that labels cannot have, where they are wished for',
      pod(
        'affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: In, values: ["a b"]}]}}]}}',
      ),
    ],
    ['a sleep as long as the end', container('lifecycle: {preStop: {sleep: {seconds: 30}}}')],
    [
      'SYS_ADMIN without its prefix and without escalation',
      container('securityContext: {capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: false}'),
    ],
    ['huge pages beside memory', resources('limits: {hugepages-2Mi: 4Mi, memory: 1Gi}')],
    [
      'zeros that mean unset',
      container(
        'ports: [{containerPort: 80, hostPort: 0, name: "", protocol: ""}], livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 0, timeoutSeconds: 0, successThreshold: 0, failureThreshold: 0}, imagePullPolicy: "", workingDir: "", terminationMessagePath: "", terminationMessagePolicy: ""',
      ),
    ],
    [
      'empty texts that mean unset',
      pod(
        'restartPolicy: "", dnsPolicy: "", nodeName: "", hostname: "", schedulerName: "", priorityClassName: "", serviceAccountName: "", serviceAccount: default',
      ),
    ],
    ['a strategy without a type', deployment('strategy: {type: "", rollingUpdate: {maxSurge: 1}}')],
    ['an empty namespace', manifest('ConfigMap', '', 'namespace: ""')],
    ...['100u', '100000n', '1e3', '1E3', '1E', '12e-1', '.5', '5.', '+1', '0', '16Ei', '1e400', '1P', '1k', '2Pi'].map(
      (amount) => [`the quantity ${amount}`, resources(`limits: {memory: "${amount}"}`)] as const,
    ),
  ];
  for (const [name, text] of cases)
    it(name, () =>
      assert.deepEqual(
        parse(text).diagnostics.map((d) => `${d.code} ${d.message}`),
        [],
      ),
    );
});

function only<K extends Kind>(kind: K, text: string): Extract<KubeObject, { kind: K }> {
  const { objects, diagnostics } = parse(text);
  assert.deepEqual(diagnostics, []);
  const object = objects[0]?.object;
  assert.ok(object?.kind === kind);
  return object as Extract<KubeObject, { kind: K }>;
}

describe('what is read of it', () => {
  it('a volume without a source is an emptyDir', () => {
    assert.deepEqual(only('Pod', pod('volumes: [{name: a}, {name: b, emptyDir: null}]')).spec.volumes, [
      { name: 'a', emptyDir: { medium: '' } },
      { name: 'b', emptyDir: { medium: '' } },
    ]);
  });

  it('a negative grace period is one second', () => {
    assert.equal(only('Pod', pod('terminationGracePeriodSeconds: -1')).spec.terminationGracePeriodSeconds, 1);
    assert.equal(only('Pod', pod('terminationGracePeriodSeconds: 0')).spec.terminationGracePeriodSeconds, 0);
  });

  it('a class without a value has the value 0', () =>
    assert.equal(only('PriorityClass', manifest('PriorityClass', '')).value, 0));

  it('naming the default ServiceAccount, by either name, changes no pod', () => {
    const plain = only('Pod', pod(''));
    for (const field of ['serviceAccountName', 'serviceAccount'])
      assert.deepEqual(only('Pod', pod(`${field}: default`)), plain);
    assert.equal(only('Pod', pod('serviceAccount: robot')).spec.serviceAccountName, 'robot');
  });

  it('quantities never leave the numbers that a runtime counts in', () => {
    const largest = 2n ** 63n - 1n;
    for (const text of ['16Ei', '8Ei', '1e400', '9223372036854775807', '9e18']) {
      const amount = BigInt(parseQuantity(text));
      assert.ok(amount <= largest && amount > 2n ** 62n, text);
    }
    assert.equal(parseQuantity('0e400'), 0);
    assert.equal(parseQuantity('100000n'), 0.0001);
    assert.equal(parseQuantity('5u'), 0.000005);
  });

  it('items of a typed list are of its kind', () => {
    const { objects, diagnostics } = parse(
      'apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {apiVersion: v1, kind: Secret, metadata: {name: b}}]\n',
    );
    assert.deepEqual(diagnostics, []);
    assert.deepEqual(
      objects.map((o) => o.key),
      ['configmaps/default/a', 'secrets/default/b'],
    );
  });
});

describe('ServiceAccounts', () => {
  const account = manifest(
    'ServiceAccount',
    'automountServiceAccountToken: true\nsecrets: [{name: a}]\nimagePullSecrets: [{name: b}]',
  );
  const codes = (...texts: string[]): string[] =>
    composeState(
      texts.map((text, i) => ({ ...parse(text), path: `${i}.yaml` })),
      [],
    ).diagnostics.map((d) => `${d.line} ${d.code}`);

  it('are a name, and what pods that go by it pull images with', () => {
    assert.deepEqual(only('ServiceAccount', account), {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'a', namespace: 'default' },
      imagePullSecrets: [{ name: 'b' }],
    });
  });

  it('that a pod names are in the same namespace', () => {
    assert.deepEqual(codes(pod('serviceAccountName: a'), account), []);
    assert.deepEqual(codes(pod('serviceAccountName: default')), []);
    assert.deepEqual(codes(pod('serviceAccountName: b'), account), ['4 UnknownServiceAccount']);
    assert.deepEqual(
      codes(
        pod('serviceAccountName: a').replace('{name: a}', '{name: a, namespace: team}'),
        account,
        manifest('Namespace', '').replace('name: a', 'name: team'),
      ),
      ['4 UnknownServiceAccount'],
    );
  });
});
