/**
 * One mistake, one line. Each manifest has one mistake, and a mark (▶) where a person would point. What is said must be
 * one finding, at that place, in words about that mistake.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { findsIt, pod, type Case } from './mistakes.ts';

const deployment = (spec: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n${spec}  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers: [{name: web, image: "nginx:1.27"}]\n`;
const service = (spec: string): string => `apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n${spec}`;
const configMap = (rest: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n${rest}`;

const FIELDS: readonly Case[] = [
  [
    'a volume of a type that is not there yet',
    pod('  volumes:\n  - name: data\n    ▶csi:\n      driver: data\n'),
    'UnsupportedField',
    /volumes\[0\]\.csi is a Kubernetes field/,
  ],
  [
    'a volume of a type that went long ago',
    pod('  volumes:\n  - name: data\n    ▶awsElasticBlockStore: {volumeID: vol-1}\n'),
    'UnsupportedField',
    /awsElasticBlockStore is a Kubernetes field/,
  ],
  [
    'a field of the newest Kubernetes',
    pod('  ▶schedulingGroup: {podGroupName: web}\n'),
    'UnsupportedField',
    /spec\.schedulingGroup is a Kubernetes field/,
  ],
  [
    'a sysctl of the host',
    pod('  securityContext:\n    sysctls: [{name: ▶kernel.msgmax, value: "65536"}]\n'),
    'InvalidValue',
    /sysctls\[0\]\.name is one that no node lets pods set: "kernel\.msgmax" not allowlisted/,
  ],
  [
    "a sysctl of the host's network",
    pod('  hostNetwork: true\n  securityContext:\n    sysctls: [{name: ▶net/ipv4/tcp_syncookies, value: "0"}]\n'),
    'InvalidValue',
    /"net\.ipv4\.tcp_syncookies" not allowed with host network enabled/,
  ],
  [
    'a sysctl that is no name',
    pod('  securityContext:\n    sysctls: [{name: ▶foo-, value: "1"}]\n'),
    'InvalidValue',
    /sysctls\[0\]\.name must consist of lower case letters/,
  ],
  [
    'a claim of no quantity',
    'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: web\nspec:\n  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: ▶${SIZE}\n',
    'InvalidValue',
    /requests\.storage/,
  ],
  [
    'no DNS at all',
    pod('  dnsPolicy: None\n  ▶dnsConfig: {searches: [a.example]}\n'),
    'MissingField',
    /dnsConfig\.nameservers with a nameserver is required when dnsPolicy is None/,
  ],
  [
    'a search domain that is none',
    pod('  dnsConfig: {searches: [a.example, ▶"b c"]}\n'),
    'InvalidValue',
    /searches\[1\] must be a domain/,
  ],
  [
    'an alias of no address',
    pod('  hostAliases: [{ip: ▶example.com, hostnames: [a]}]\n'),
    'InvalidValue',
    /hostAliases\[0\]\.ip must be an IP address/,
  ],
  [
    'processes of the pod and of the host',
    pod('  hostPID: true\n  shareProcessNamespace: ▶true\n'),
    'InvalidValue',
    /shareProcessNamespace may not be true when hostPID is/,
  ],
  [
    'a source of a variable that is not there yet',
    pod('    env:\n    - name: CPU\n      valueFrom:\n        ▶fileKeyRef: {volumeName: a, path: b, key: c}\n'),
    'UnsupportedField',
    /fileKeyRef is a Kubernetes field/,
  ],
  [
    'a source of variables that is none',
    pod('    envFrom:\n    - ▶vaultRef: {name: a}\n'),
    'UnknownField',
    /unknown field spec\.containers\[0\]\.envFrom\[0\]\.vaultRef/,
  ],
  [
    'an alias without the name it is for',
    service('  type: ▶ExternalName\n'),
    'MissingField',
    /needs spec\.externalName/,
  ],
  [
    'an alias for what is no name',
    service('  type: ExternalName\n  externalName: ▶DB_1.example.com\n'),
    'InvalidValue',
    /must be a DNS name in lower case/,
  ],
  [
    'an alias with an address',
    service('  type: ExternalName\n  externalName: db.example.com\n  clusterIP: ▶10.96.0.9\n'),
    'ForbiddenField',
    /may not be set when type is ExternalName/,
  ],
  [
    'the name of another in a Service that is no alias',
    service('  externalName: ▶db.example.com\n  ports: [{port: 80}]\n'),
    'ForbiddenField',
    /may not be set when type is ClusterIP/,
  ],
  [
    'a health check of a load balancer that may send anywhere',
    service('  type: LoadBalancer\n  healthCheckNodePort: ▶30001\n  selector: {app: web}\n  ports: [{port: 80}]\n'),
    'ForbiddenField',
    /externalTrafficPolicy is Local/,
  ],
  [
    'source ranges of no load balancer',
    service('  loadBalancerSourceRanges: ▶[10.0.0.0/8]\n  selector: {app: web}\n  ports: [{port: 80}]\n'),
    'ForbiddenField',
    /type: LoadBalancer/,
  ],
  [
    'a source range that is none',
    service(
      '  type: LoadBalancer\n  loadBalancerSourceRanges: [▶10.0.0.0/40]\n  selector: {app: web}\n  ports: [{port: 80}]\n',
    ),
    'InvalidValue',
    /IPv4 range/,
  ],
  [
    'an external address on loopback',
    service('  externalIPs: [▶127.0.0.1]\n  selector: {app: web}\n  ports: [{port: 80}]\n'),
    'InvalidValue',
    /loopback/,
  ],
  [
    'an external address on the loopback of IPv6',
    service('  externalIPs: [▶"::1"]\n  selector: {app: web}\n  ports: [{port: 80}]\n'),
    'InvalidValue',
    /loopback \(::1\)/,
  ],
  [
    'an external address that is none',
    service('  externalIPs: [▶web.example]\n  selector: {app: web}\n  ports: [{port: 80}]\n'),
    'InvalidValue',
    /must be an IPv4 or IPv6 address/,
  ],
  [
    'an endpoint of another family than its slice',
    'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db}\naddressType: IPv6\nendpoints: [{addresses: [▶192.0.2.7]}]\nports: [{port: 80}]\n',
    'InvalidValue',
    /must be an address of IPv6, as addressType says/,
  ],
  [
    'a name that the server would make',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  ▶generateName: web-\n',
    'UnsupportedField',
    /metadata\.generateName/,
  ],
  [
    'a probe of an init container that is no sidecar',
    pod('  initContainers:\n  - name: proxy\n    image: envoy:1.31\n    readinessProbe: ▶{httpGet: {port: 80}}\n'),
    'ForbiddenField',
    /initContainers\[0\]\.readinessProbe may not be set for an init container; .*restartPolicy: Always/,
  ],
  ...(
    [
      ['localhost', /hostIP must be an IPv4 or IPv6 address/],
      ['"::1"', /hostIP may not be ::1/],
      ['"::ffff:192.0.2.1"', /hostIP must be written as an IPv4 address/],
    ] as const
  ).map(([hostIP, says]): Case => [
    `a port of the node at ${hostIP}`,
    pod(`    ports: [{containerPort: 80, hostPort: 8080, hostIP: ▶${hostIP}}]\n`),
    'InvalidValue',
    says,
  ]),
  [
    'one address of the node written in two ways',
    pod(
      '    ports: [{containerPort: 80, hostPort: 8080, hostIP: "2001:db8::1"}, {containerPort: 81, hostPort: ▶8080, hostIP: "2001:DB8:0::1"}]\n',
    ),
    'DuplicateName',
    /2001:db8::1:8080\/TCP is taken by another port of this pod/,
  ],
  [
    'a limit of traffic that is no rate',
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  annotations:\n    kubernetes.io/egress-bandwidth: ▶fast\nspec:\n  containers:\n  - name: web\n    image: web:1\n',
    'InvalidValue',
    /metadata\.annotations.*egress-bandwidth.* is no rate: "fast"/,
  ],
  [
    'one of a template that is too small',
    'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata:\n      labels: {app: web}\n      annotations: {kubernetes.io/ingress-bandwidth: ▶"10"}\n    spec:\n      containers: [{name: web, image: "nginx:1.27"}]\n',
    'InvalidValue',
    /template\.metadata\.annotations.*ingress-bandwidth.*"10"/,
  ],
  [
    "one of a pod in its machine's network",
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  annotations:\n    kubernetes.io/egress-bandwidth: ▶10M\nspec:\n  hostNetwork: true\n  containers:\n  - name: web\n    image: web:1\n',
    'ForbiddenField',
    /egress-bandwidth.* limits nothing of a pod that has hostNetwork: true/,
  ],
  [
    'a port of the node that a sidecar has taken',
    pod(
      '    ports: [{containerPort: 80, hostPort: ▶8080}]\n  initContainers:\n  - name: proxy\n    image: envoy:1.31\n    restartPolicy: Always\n    ports: [{containerPort: 81, hostPort: 8080}]\n',
    ),
    'DuplicateName',
    /8080\/TCP is taken by another port of this pod/,
  ],
  [
    'restart rules without a policy for all other exits',
    pod(
      '  - ▶name: job\n    image: job:1\n    restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]\n',
    ),
    'MissingField',
    /containers\[1\]\.restartPolicy is required when restartPolicyRules are written/,
  ],
  [
    'a restart rule of no known action',
    pod(
      '  - name: job\n    image: job:1\n    restartPolicy: Never\n    restartPolicyRules: [{action: ▶Reboot, exitCodes: {operator: In, values: [42]}}]\n',
    ),
    'InvalidValue',
    /restartPolicyRules\[0\]\.action must be Restart/,
  ],
  [
    'a selector that can match nothing',
    deployment('  selector:\n    matchExpressions:\n    - {key: app, operator: In, values: ▶[]}\n'),
    'MissingField',
    /values must have at least one entry when operator is In/,
  ],
  [
    'a misspelled probe',
    pod('    livenessProbe:\n      ▶httpget: {port: 80}\n'),
    'UnknownField',
    /did you mean httpGet/,
  ],
  [
    'a probe of no known kind',
    pod('    livenessProbe:\n      ▶redis: {port: 80}\n'),
    'UnknownField',
    /unknown field spec\.containers\[0\]\.livenessProbe\.redis/,
  ],
  [
    'a field that confines the pod',
    pod('  securityContext:\n    ▶seLinuxChangePolicy: Recursive\n'),
    'UnsupportedField',
    /less confined .* only where that is acceptable/,
  ],
  [
    'plain text in a ConfigMap, as in a Secret',
    configMap('▶stringData:\n  a: b\n'),
    'UnknownField',
    /ConfigMap has plain text in data/,
  ],
  [
    'bytes of a ConfigMap that are no base64',
    configMap('binaryData:\n  a: ▶"?!"\n'),
    'InvalidValue',
    /use data for plain text/,
  ],
  [
    'bytes of a Secret that are no base64',
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  a: ▶"?!"\n',
    'InvalidValue',
    /use stringData for plain text/,
  ],
  [
    'a file of settings that is not quoted',
    configMap('data:\n  app.yaml: ▶{log: info}\n'),
    'WrongType',
    /write "app\.yaml: \|"/,
  ],
];

const app = (spec: string): string =>
  `apiVersion: plumbline.dev/v1alpha1\nkind: App\nmetadata: {name: web}\nspec:\n${spec}`;
const CHART = 'repository: "https://charts.example", name: web, version: 1.0.0';
const APPS: readonly Case[] = [
  [
    'an App of two engines',
    app('  path: a\n  kustomize: {}\n  helm: ▶{}\n'),
    'InvalidValue',
    /spec\.helm may not stand beside/,
  ],
  ['an App of nothing', app('  ▶namespace: web\n'), 'MissingField', /^spec needs path/],
  ['an App of the whole repository', app('  path: ▶.\n'), 'InvalidValue', /spec\.path must be a path from/],
  ['an App above the repository', app('  path: ▶a/../../b\n'), 'InvalidValue', /spec\.path must be a path from/],
  ['an App of the file system', app('  path: ▶/etc\n'), 'InvalidValue', /spec\.path must be a path from/],
  [
    'an App of a folder and of a chart from elsewhere',
    app(`  path: ▶a\n  helm: {chart: {${CHART}}}\n`),
    'InvalidValue',
    /spec\.path may not stand beside helm\.chart/,
  ],
  [
    'a component above the repository',
    app('  path: a/b\n  kustomize: {components: [../c, ▶../../../c]}\n'),
    'InvalidValue',
    /components\[1\] leads out of the repository/,
  ],
  [
    'a chart of any version',
    app(`  helm: {chart: {${CHART.replace('1.0.0', '▶1.x')}}}\n`),
    'InvalidValue',
    /must be one version such as/,
  ],
  [
    'a repository of charts with a password',
    app(`  helm: {chart: {${CHART.replace('"https://', '▶"https://me:secret@')}}}\n`),
    'InvalidValue',
    /without a user/,
  ],
  [
    'a password for a chart that all on the way could read',
    app(`  helm: {chart: {${CHART.replace('"https://', '▶"http://')}, secretRef: {name: a}}}\n`),
    'InvalidValue',
    /must be https where there is a secretRef/,
  ],
  [
    'an App that waits for itself',
    app('  path: a\n  dependsOn: [{name: ▶web}]\n'),
    'InvalidValue',
    /must be another App/,
  ],
  [
    'an App that waits twice',
    app('  path: a\n  dependsOn: [{name: a}, {name: ▶a}]\n'),
    'DuplicateName',
    /a is named already/,
  ],
];

const KINDS: readonly Case[] = [
  [
    'a Service of Knative',
    'apiVersion: serving.knative.dev/v1\nkind: ▶Service\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: a}]}}}\n',
    'UnknownKind',
    /^Service of group serving\.knative\.dev is a custom resource/,
  ],
  [
    'a Cluster of the Cluster API',
    'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ▶Cluster\nmetadata: {name: a}\nspec: {}\n',
    'UnknownKind',
    /^Cluster of group cluster\.x-k8s\.io/,
  ],
  [
    'a Machine of OpenShift',
    'apiVersion: machine.openshift.io/v1beta1\nkind: ▶Machine\nmetadata: {name: a}\n',
    'UnknownKind',
    /^Machine of group machine\.openshift\.io/,
  ],
  [
    'a monitor of Prometheus',
    'apiVersion: monitoring.coreos.com/v1\nkind: ▶PodMonitor\nmetadata: {name: a}\n',
    'UnknownKind',
    /^PodMonitor of group monitoring\.coreos\.com (?!.*did you mean)/,
  ],
  [
    'a kind of Kubernetes',
    'apiVersion: admissionregistration.k8s.io/v1\nkind: ▶ValidatingWebhookConfiguration\nmetadata: {name: a}\n',
    'UnknownKind',
    /ValidatingWebhookConfiguration is a Kubernetes kind/,
  ],
  [
    'rights in an API that is not there',
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ▶ClusterRole\nmetadata: {name: a}\nrules: [{verbs: [get]}]\n',
    'RightsLeftOut',
    /^warning: ClusterRole a is left out: .* which is not there/,
  ],
  [
    'rights, and who has them',
    ['kind: ▶Role', 'kind: RoleBinding', 'kind: ClusterRole']
      .map((kind) => `apiVersion: rbac.authorization.k8s.io/v1\n${kind}\nmetadata: {name: a}\n`)
      .join('---\n'),
    'RightsLeftOut',
    /^warning: Role a and 2 more of group rbac\.authorization\.k8s\.io are left out/,
  ],
  [
    'a version with other fields',
    'apiVersion: ▶networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: a}\nspec:\n  backend: {serviceName: a, servicePort: 80}\n',
    'WrongApiVersion',
    /write apiVersion: networking\.k8s\.io\/v1, with the fields of that version/,
  ],
  [
    'a field of another version of an autoscaler',
    'apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n  maxReplicas: 3\n  ▶behavior: {}\n',
    'UnknownField',
    /^autoscaling\/v1 has no behavior; write apiVersion: autoscaling\/v2/,
  ],
  [
    'a share of cpu that is none, of the older autoscaler',
    'apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n  maxReplicas: 3\n  targetCPUUtilizationPercentage: ▶0\n',
    'InvalidValue',
    /averageUtilization must be/,
  ],
  [
    'what a server gave an object',
    configMap('  ▶uid: 6f1c0ac2\n  creationTimestamp: "2024-01-02T03:04:05Z"\n  generation: 3\ndata: {a: b}\n'),
    'UnsupportedField',
    /^metadata\.uid is written by the server, never in Git; remove it/,
  ],
  [
    'a group that Deployments left',
    deployment('  selector: {matchLabels: {app: web}}\n').replace('apps/v1', '▶extensions/v1beta1'),
    'WrongApiVersion',
    /write apiVersion: apps\/v1/,
  ],
  [
    'a misspelled group',
    'apiVersion: ▶plumbline.de/v1alpha1\nkind: SchedulerPlugin\nmetadata: {name: a}\nspec: {score: {expression: "1"}}\n',
    'WrongApiVersion',
    /write apiVersion: plumbline\.dev\/v1alpha1/,
  ],
  [
    'a misspelled kind',
    'apiVersion: apps/v1\nkind: ▶Deploymnet\nmetadata: {name: a}\n',
    'UnknownKind',
    /did you mean Deployment/,
  ],
  [
    'a Kustomization',
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: ▶Kustomization\nresources: [a.yaml]\n',
    'NeedsRendering',
    /^Kustomization is read by Kustomize/,
  ],
  [
    'a Kustomization of Flux',
    'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: ▶Kustomization\nmetadata: {name: a}\n',
    'UnknownKind',
    /group kustomize\.toolkit\.fluxcd\.io/,
  ],
];

const SYNTAX: readonly Case[] = [
  [
    'a quote that is not closed',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ▶"web\n  labels: {a: b}\ndata:\n  k: v\n',
    'InvalidYaml',
    /this " is not closed/,
  ],
  [
    'a single quote that is not closed',
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ▶'web\ndata:\n  k: v\n",
    'InvalidYaml',
    /this ' is not closed/,
  ],
  [
    'a brace that is not closed',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: ▶{name: web\ndata:\n  k: v\n',
    'InvalidYaml',
    /this \{ is not closed; write \}/,
  ],
  [
    'a bracket that is not closed',
    'apiVersion: v1\nkind: List\nitems: ▶[\n',
    'InvalidYaml',
    /this \[ is not closed; write \]/,
  ],
  [
    'a no-break space for indentation',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n▶\u00a0 name: web\n',
    'InvalidYaml',
    /<U\+00A0> name starts with U\+00A0/,
  ],
  [
    'a space of no width in a name',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ▶we\u200bb\n',
    'InvalidValue',
    /found text "we<U\+200B>b"/,
  ],
  [
    'an action of Helm for a value',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ▶{{ .Values.name }}\n  {{- with .Values.labels }}\n  labels: {{ toYaml . | nindent 4 }}\n  {{- end }}\n',
    'NeedsRendering',
    /the file is a template/,
  ],
  [
    'an action of Helm around an object',
    '▶{{- if .Values.enabled }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "web.name" . }}\n{{- end }}\n',
    'NeedsRendering',
    /helm template/,
  ],
  [
    'an action of Jinja',
    'apiVersion: v1\n▶{% if a %}\nkind: ConfigMap\n{% endif %}\nmetadata: {name: web}\n',
    'NeedsRendering',
    /the file is a template/,
  ],
  [
    'an alias for a key that is not there',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {▶*key : x}\n',
    'InvalidYaml',
    /names no anchor/,
  ],
  [
    'wrong indentation',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ▶d\n   labels: {a: b}\n',
    'InvalidYaml',
    /check the indentation of the lines below/,
  ],
];

for (const [title, cases] of [
  ['a field', FIELDS],
  ['an App', APPS],
  ['a kind', KINDS],
  ['the text', SYNTAX],
] as const) {
  describe(`one mistake in ${title} is one finding at its place`, () => {
    for (const one of cases) findsIt(one);
  });
}

describe('several mistakes are all told', () => {
  it('beside a refused field', () => {
    const { diagnostics } = parseManifest(
      'f.yaml',
      'oid',
      new TextEncoder().encode(
        pod(
          '    ports: [{containerPort: 0}]\n  volumes:\n  - {name: A, csi: {}}\n  - {name: b, emptyDir: {}, hostPath: {path: /x}}\n',
        ),
      ),
    );
    assert.deepEqual(
      diagnostics.map((d) => `${d.line}:${d.column} ${d.code}`),
      ['9:29 InvalidValue', '11:12 InvalidValue', '11:15 UnsupportedField', '12:5 InvalidValue'],
    );
  });

  it('up to a limit, and then that there are more', () => {
    const many = configMap(`data:\n${Array.from({ length: 500 }, (_, i) => `  k${i}: 5`).join('\n')}\n`);
    const { diagnostics } = parseManifest('f.yaml', 'oid', new TextEncoder().encode(many));
    assert.equal(diagnostics.length, 200);
    assert.equal(diagnostics.at(-1)?.code, 'TooManyErrors');
    assert.match(diagnostics.at(-1)?.message ?? '', /only 199 mistakes .* may be more/);
  });

  it('warnings too, which refuse no file and hide no error', () => {
    const warned = Array.from({ length: 300 }, (_, i) =>
      configMap('data: {a: null}\n').replace(/name: .*/, `name: c${i}`),
    );
    const parse = (...documents: readonly string[]) =>
      parseManifest('f.yaml', 'oid', new TextEncoder().encode(documents.join('---\n'))).diagnostics;
    const warnings = parse(...warned);
    assert.deepEqual([...new Set(warnings.map(({ severity }) => severity))], ['warning']);
    assert.match(warnings.at(-1)?.message ?? '', /only 199 warnings .* may be more/);
    const errors = parse(...warned, configMap('data: 5\n')).filter(({ severity }) => severity === 'error');
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['WrongType'],
    );
  });
});
