/** Pod: the shape, its defaults, and its status. Source: Kubernetes v1 API reference, PodSpec and PodStatus. */
import { z } from 'zod';
import type { ObjectMeta} from './meta.ts';
import { Condition, ManifestMeta, TemplateMeta, type StoredMeta } from './meta.ts';
import { Affinity, PodSchedulingGate, PreemptionPolicy, TopologySpreadConstraint } from './placement.ts';
import { Quantity, ResourceList } from './quantity.ts';
import { DnsLabel, DnsSubdomain, LabelValue, object, Port, QualifiedName, Seconds, Timestamp } from './schema.ts';

const PortOrName = z.union([Port, DnsLabel]);

export const HttpGetAction = object({
  path: z.string().default('/'),
  port: PortOrName,
  host: z.string().optional(),
  scheme: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
  httpHeaders: z.array(object({ name: z.string(), value: z.string() })).optional(),
});
export const TcpSocketAction = object({ port: PortOrName, host: z.string().optional() });
export const ExecAction = object({ command: z.array(z.string()).min(1) });
export const GrpcAction = object({ port: Port, service: z.string().default('') });

export const Probe = object({
  httpGet: HttpGetAction.optional(),
  tcpSocket: TcpSocketAction.optional(),
  exec: ExecAction.optional(),
  grpc: GrpcAction.optional(),
  initialDelaySeconds: Seconds.default(0),
  periodSeconds: z.int().min(1).default(10),
  timeoutSeconds: z.int().min(1).default(1),
  successThreshold: z.int().min(1).default(1),
  failureThreshold: z.int().min(1).default(3),
  terminationGracePeriodSeconds: z.int().min(1).optional(),
}).refine((p) => [p.httpGet, p.tcpSocket, p.exec, p.grpc].filter(Boolean).length === 1, 'must have exactly one of httpGet, tcpSocket, exec, grpc');
export type Probe = z.infer<typeof Probe>;

const LifecycleHandler = object({
  exec: ExecAction.optional(),
  httpGet: HttpGetAction.optional(),
  tcpSocket: TcpSocketAction.optional(),
  sleep: object({ seconds: Seconds }).optional(),
}).refine((h) => [h.httpGet, h.tcpSocket, h.exec, h.sleep].filter(Boolean).length === 1, 'must have exactly one of exec, httpGet, sleep, tcpSocket');
export type LifecycleHandler = z.infer<typeof LifecycleHandler>;

const KeyRef = object({ name: DnsSubdomain, key: z.string().min(1), optional: z.boolean().default(false) });
const FieldRef = object({ fieldPath: z.string(), apiVersion: z.literal('v1').default('v1') });

export const EnvVar = object({
  name: z.string().min(1),
  value: z.string().optional(),
  valueFrom: object({
    configMapKeyRef: KeyRef.optional(),
    secretKeyRef: KeyRef.optional(),
    fieldRef: FieldRef.optional(),
  }, ['resourceFieldRef', 'fileKeyRef']).optional(),
}).refine((e) => !(e.value && e.valueFrom), 'may not have both value and valueFrom');
export type EnvVar = z.infer<typeof EnvVar>;

const EnvFromRef = object({ name: DnsSubdomain, optional: z.boolean().default(false) });
const EnvFrom = object({ prefix: z.string().default(''), configMapRef: EnvFromRef.optional(), secretRef: EnvFromRef.optional() })
  .refine((e) => [e.configMapRef, e.secretRef].filter(Boolean).length === 1, 'must have exactly one of configMapRef, secretRef');

export const ContainerPort = object({
  name: DnsLabel.max(15).optional(),
  containerPort: Port,
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  hostPort: Port.optional(),
}, ['hostIP']);

const SecurityContext = object({
  runAsUser: z.int().min(0).optional(),
  runAsGroup: z.int().min(0).optional(),
  runAsNonRoot: z.boolean().optional(),
  privileged: z.boolean().default(false),
  readOnlyRootFilesystem: z.boolean().default(false),
  allowPrivilegeEscalation: z.boolean().optional(),
  capabilities: object({ add: z.array(z.string()).optional(), drop: z.array(z.string()).optional() }).optional(),
}, ['appArmorProfile', 'procMount', 'seLinuxOptions', 'seccompProfile', 'windowsOptions']);

const VolumeMount = object({
  name: DnsLabel,
  mountPath: z.string().min(1),
  readOnly: z.boolean().default(false),
  subPath: z.string().optional(),
}, ['mountPropagation', 'subPathExpr', 'recursiveReadOnly']);

const ContainerShape = object({
  name: DnsLabel,
  image: z.string().min(1, 'is required'),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  workingDir: z.string().optional(),
  ports: z.array(ContainerPort).optional(),
  env: z.array(EnvVar).optional(),
  envFrom: z.array(EnvFrom).optional(),
  resources: object({ limits: ResourceList.optional(), requests: ResourceList.optional() }, ['claims']).default({}),
  livenessProbe: Probe.optional(),
  readinessProbe: Probe.optional(),
  startupProbe: Probe.optional(),
  lifecycle: object({ preStop: LifecycleHandler.optional(), postStart: LifecycleHandler.optional() }, ['stopSignal']).optional(),
  securityContext: SecurityContext.optional(),
  volumeMounts: z.array(VolumeMount).optional(),
  stdin: z.boolean().default(false),
  tty: z.boolean().default(false),
  terminationMessagePath: z.string().default('/dev/termination-log'),
  terminationMessagePolicy: z.enum(['File', 'FallbackToLogsOnError']).default('File'),
}, ['resizePolicy', 'restartPolicy', 'stdinOnce', 'volumeDevices', 'restartPolicyRules']);

/** `:latest` and untagged images are pulled Always, others IfNotPresent (Kubernetes' documented default). */
function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const afterSlash = image.slice(image.lastIndexOf('/') + 1);
  if (afterSlash.includes('@')) return 'IfNotPresent';
  const tag = afterSlash.split(':')[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

export const Container = ContainerShape.transform((c) => ({
  ...c,
  imagePullPolicy: c.imagePullPolicy ?? defaultPullPolicy(c.image),
  resources: { ...c.resources, ...(c.resources.limits && { requests: { ...c.resources.limits, ...c.resources.requests } }) },
}));
export type Container = z.infer<typeof Container>;

export const Toleration = object({
  key: QualifiedName.optional(),
  operator: z.enum(['Exists', 'Equal']).default('Equal'),
  value: LabelValue.optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().optional(),
});
export type Toleration = z.infer<typeof Toleration>;

const VolumeSource = {
  emptyDir: object({ medium: z.enum(['', 'Memory']).default(''), sizeLimit: Quantity.optional() }).optional(),
  hostPath: object({ path: z.string(), type: z.enum(['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File']).default('') }).optional(),
  configMap: object({
    name: DnsSubdomain, optional: z.boolean().default(false), defaultMode: z.int().default(0o644),
    items: z.array(object({ key: z.string(), path: z.string(), mode: z.int().optional() })).optional(),
  }).optional(),
  secret: object({
    secretName: DnsSubdomain, optional: z.boolean().default(false), defaultMode: z.int().default(0o644),
    items: z.array(object({ key: z.string(), path: z.string(), mode: z.int().optional() })).optional(),
  }).optional(),
};
const Volume = object({ name: DnsLabel, ...VolumeSource }, [
  'persistentVolumeClaim', 'projected', 'downwardAPI', 'nfs', 'iscsi', 'csi', 'ephemeral', 'image', 'local', 'fc', 'cephfs', 'rbd',
]).refine((v) => [v.emptyDir, v.hostPath, v.configMap, v.secret].filter(Boolean).length === 1, 'must have exactly one of configMap, emptyDir, hostPath, secret');

/** Every pod tolerates a short outage of its node (Kubernetes' DefaultTolerationSeconds admission plugin). */
const OUTAGE_TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
const OUTAGE_TOLERATION_SECONDS = 300;
function withOutageTolerations(tolerations: readonly Toleration[] | undefined): Toleration[] {
  const given = tolerations ?? [];
  const covers = (key: string): boolean =>
    given.some((t) => (t.key === key || (t.key === undefined && t.operator === 'Exists')) && (t.effect === undefined || t.effect === 'NoExecute'));
  const added = OUTAGE_TAINTS.filter((key) => !covers(key)).map(
    (key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: OUTAGE_TOLERATION_SECONDS }),
  );
  return [...given, ...added];
}

const PodSpecShape = object({
  containers: z.array(Container).min(1, 'must have at least one container'),
  initContainers: z.array(Container).optional(),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
  terminationGracePeriodSeconds: Seconds.default(30),
  activeDeadlineSeconds: z.int().min(1).optional(),
  nodeName: DnsSubdomain.optional(),
  nodeSelector: z.record(QualifiedName, LabelValue).optional(),
  affinity: Affinity.optional(),
  topologySpreadConstraints: z.array(TopologySpreadConstraint).optional(),
  tolerations: z.array(Toleration).optional(),
  /** Name of the PriorityClass that the scheduler takes the pod's priority from. */
  priorityClassName: DnsSubdomain.optional(),
  /** Absent: what the PriorityClass says. */
  preemptionPolicy: PreemptionPolicy.optional(),
  schedulingGates: z.array(PodSchedulingGate).optional(),
  /** What the pod takes besides what its containers ask for. */
  overhead: ResourceList.optional(),
  hostNetwork: z.boolean().default(false),
  hostname: DnsLabel.optional(),
  dnsPolicy: z.enum(['ClusterFirst', 'Default', 'ClusterFirstWithHostNet', 'None']).default('ClusterFirst'),
  enableServiceLinks: z.boolean().default(true),
  schedulerName: z.string().default('default-scheduler'),
  securityContext: object({
    runAsUser: z.int().optional(), runAsGroup: z.int().optional(), runAsNonRoot: z.boolean().optional(),
    fsGroup: z.int().optional(), supplementalGroups: z.array(z.int()).optional(),
  }, ['appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'sysctls', 'windowsOptions', 'fsGroupChangePolicy']).optional(),
  volumes: z.array(Volume).optional(),
}, [
  'automountServiceAccountToken', 'dnsConfig', 'ephemeralContainers', 'hostAliases', 'hostIPC', 'hostPID', 'hostUsers', 'imagePullSecrets', 'os',
  'priority', 'readinessGates', 'resourceClaims', 'resources', 'runtimeClassName', 'serviceAccount', 'serviceAccountName', 'setHostnameAsFQDN',
  'shareProcessNamespace', 'subdomain',
]);
export const PodSpec = PodSpecShape.transform((spec) => ({ ...spec, tolerations: withOutageTolerations(spec.tolerations) }));
export type PodSpec = z.infer<typeof PodSpec>;

export const PodTemplateSpec = object({ metadata: TemplateMeta.default({}), spec: PodSpec });
export type PodTemplateSpec = z.infer<typeof PodTemplateSpec>;

const ContainerState = object({
  waiting: object({ reason: z.string(), message: z.string().optional() }).optional(),
  running: object({ startedAt: Timestamp }).optional(),
  terminated: object({
    exitCode: z.int(), signal: z.int().optional(), reason: z.string(), message: z.string().optional(),
    startedAt: Timestamp, finishedAt: Timestamp, containerID: z.string(),
  }).optional(),
});
export type ContainerState = z.infer<typeof ContainerState>;

export const ContainerStatus = object({
  name: z.string(),
  state: ContainerState,
  lastState: ContainerState.default({}),
  ready: z.boolean(),
  started: z.boolean().optional(),
  restartCount: z.int(),
  image: z.string(),
  imageID: z.string(),
  containerID: z.string().optional(),
});
export type ContainerStatus = z.infer<typeof ContainerStatus>;

export const PodPhase = z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']);
export const PodStatus = object({
  phase: PodPhase,
  conditions: z.array(Condition).optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  /** Node that the scheduler makes room on for this pod. */
  nominatedNodeName: z.string().optional(),
  hostIP: z.string().optional(),
  podIP: z.string().optional(),
  podIPs: z.array(object({ ip: z.string() })).optional(),
  startTime: Timestamp.optional(),
  containerStatuses: z.array(ContainerStatus).optional(),
  initContainerStatuses: z.array(ContainerStatus).optional(),
});
export type PodStatus = z.infer<typeof PodStatus>;

export const PodManifest = object({ apiVersion: z.literal('v1'), kind: z.literal('Pod'), metadata: ManifestMeta, spec: PodSpec });
/** A pod. `spec.nodeName` is its binding: set once by the scheduler, never changed. */
export interface Pod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: ObjectMeta;
  readonly spec: PodSpec;
  readonly status?: PodStatus;
}
export type StoredPod = Pod & { readonly metadata: StoredMeta };
