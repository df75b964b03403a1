/** Pod: the shape, its defaults, and its status. Source: Kubernetes v1 API reference, PodSpec and PodStatus. */
import { z } from 'zod';
import { canonicalAddress, cidrHas, familyOf } from '../ip.ts';
import { DataKey } from './config.ts';
import { FieldRef, ResourceFieldRef } from './downward.ts';
import { defaultPullPolicy } from './image-name.ts';
import type { ObjectMeta } from './meta.ts';
import { Condition, ManifestMeta, TemplateMeta, type StoredMeta } from './meta.ts';
import {
  Affinity,
  PodReadinessGate,
  PodSchedulingGate,
  PreemptionPolicy,
  TopologySpreadConstraint,
} from './placement.ts';
import { isOfWholePod, quantitiesOf, sumOfRequests, type PodResources } from './pod-sums.ts';
import { ResourceList } from './quantity.ts';
import {
  allocated,
  atomic,
  atomicList,
  DnsLabel,
  DnsSubdomain,
  int32,
  LabelValue,
  listMap,
  listSet,
  MAX_INT32,
  NEVER,
  NumericId,
  object,
  oneOf,
  Port,
  QualifiedName,
  readAs,
  Seconds,
  Timestamp,
  unset,
  type NotYet,
} from './schema.ts';
import { signalNumber } from './stop-signals.ts';
import { Volume, VolumeMount } from './volumes.ts';
import { DEFAULT_SCHEDULER_NAME, DEFAULT_SERVICE_ACCOUNT } from './well-known.ts';

const PortOrName = z.union([Port, DnsLabel]);
const HeaderName = z.string().regex(/^[-A-Za-z0-9]+$/, "must consist of letters, digits and '-'");

export const HttpGetAction = object({
  path: unset('', z.string().default('/')),
  port: PortOrName,
  host: unset('', z.string().optional()),
  scheme: unset('', z.enum(['HTTP', 'HTTPS']).default('HTTP')),
  httpHeaders: z.array(object({ name: HeaderName, value: z.string().default('') })).optional(),
});
export const TcpSocketAction = object({ port: PortOrName, host: unset('', z.string().optional()) });
export const ExecAction = object({ command: z.array(z.string()).min(1) });
export const GrpcAction = object({ port: Port, service: z.string().default('') });

export const Probe = oneOf(
  ['exec', 'grpc', 'httpGet', 'tcpSocket'],
  object({
    httpGet: HttpGetAction.optional(),
    tcpSocket: TcpSocketAction.optional(),
    exec: ExecAction.optional(),
    grpc: GrpcAction.optional(),
    initialDelaySeconds: Seconds.default(0),
    periodSeconds: unset(0, int32(1).default(10)),
    timeoutSeconds: unset(0, int32(1).default(1)),
    successThreshold: unset(0, int32(1).default(1)),
    failureThreshold: unset(0, int32(1).default(3)),
    terminationGracePeriodSeconds: int32(1).optional(),
  }),
).refine(
  (p) => [p.httpGet, p.tcpSocket, p.exec, p.grpc].filter(Boolean).length === 1,
  'must have exactly one of httpGet, tcpSocket, exec, grpc',
);
export type Probe = z.infer<typeof Probe>;

const LifecycleHandler = oneOf(
  ['exec', 'httpGet', 'sleep', 'tcpSocket'],
  object({
    exec: ExecAction.optional(),
    httpGet: HttpGetAction.optional(),
    tcpSocket: TcpSocketAction.optional(),
    sleep: object({ seconds: Seconds }).optional(),
  }),
).refine(
  (h) => [h.httpGet, h.tcpSocket, h.exec, h.sleep].filter(Boolean).length === 1,
  'must have exactly one of exec, httpGet, sleep, tcpSocket',
);
export type LifecycleHandler = z.infer<typeof LifecycleHandler>;

const KeyRef = atomic(object({ name: DnsSubdomain, key: DataKey, optional: z.boolean().default(false) }));

export const EnvVar = oneOf(
  ['value', 'valueFrom'],
  object({
    name: z.string().min(1),
    value: z.string().optional(),
    valueFrom: oneOf(
      ['configMapKeyRef', 'fieldRef', 'resourceFieldRef', 'secretKeyRef'],
      object(
        {
          configMapKeyRef: KeyRef.optional(),
          secretKeyRef: KeyRef.optional(),
          fieldRef: FieldRef.optional(),
          resourceFieldRef: ResourceFieldRef.optional(),
        },
        { fileKeyRef: NEVER },
      ),
    ).optional(),
  }),
).refine((e) => !(e.value && e.valueFrom), 'may not have both value and valueFrom');
export type EnvVar = z.infer<typeof EnvVar>;

const EnvFromRef = object({ name: DnsSubdomain, optional: z.boolean().default(false) });
const EnvFrom = object({
  prefix: z.string().default(''),
  configMapRef: EnvFromRef.optional(),
  secretRef: EnvFromRef.optional(),
}).refine(
  (e) => [e.configMapRef, e.secretRef].filter(Boolean).length === 1,
  'must have exactly one of configMapRef, secretRef',
);

/** Kubernetes takes any address; of these two kinds nothing comes to a machine from where it could be led to a pod. */
const HostIP = z
  .string()
  .refine((text) => familyOf(text) !== undefined, 'must be an IPv4 or IPv6 address')
  .refine((text) => !cidrHas('::1/128', text), 'may not be ::1: only 127.0.0.1 is led to a pod, and other addresses')
  .refine((text) => !cidrHas('::ffff:0:0/96', text), 'must be written as an IPv4 address')
  .transform(canonicalAddress);

export const ContainerPort = object({
  name: unset('', DnsLabel.max(15).optional()),
  containerPort: Port,
  protocol: unset('', z.enum(['TCP', 'UDP', 'SCTP']).default('TCP')),
  hostPort: unset(0, Port.optional()),
  /** Address of the node that the port is opened at; every one when absent or 0.0.0.0, all of IPv6 with `::`. */
  hostIP: unset('', HostIP.optional()),
});

/**
 * `localhostProfile` is a file below the node's folder of profiles. Source: Kubernetes pkg/apis/core/validation,
 * validateSeccompProfileField.
 */
const SeccompProfile = oneOf(
  ['localhostProfile'],
  object({
    type: z.enum(['RuntimeDefault', 'Unconfined', 'Localhost']),
    localhostProfile: z.string().optional(),
  }),
  'type',
)
  .refine((p) => p.type !== 'Localhost' || (p.localhostProfile ?? '') !== '', {
    path: ['localhostProfile'],
    error: 'must be set when type is Localhost',
  })
  .refine((p) => p.type === 'Localhost' || p.localhostProfile === undefined, {
    path: ['localhostProfile'],
    error: 'may only be set when type is Localhost',
  })
  .refine((p) => !p.localhostProfile?.startsWith('/'), { path: ['localhostProfile'], error: 'must be a relative path' })
  .refine((p) => p.localhostProfile?.split('/').includes('..') !== true, {
    path: ['localhostProfile'],
    error: "must not contain '..'",
  });

/**
 * `localhostProfile` is the name of a profile that is loaded on the node. Source: Kubernetes pkg/apis/core/validation,
 * validateAppArmorProfileField.
 */
const AppArmorProfile = oneOf(
  ['localhostProfile'],
  object({
    type: z.enum(['RuntimeDefault', 'Unconfined', 'Localhost']),
    localhostProfile: z.string().min(1).max(4095, 'must be no more than 4095 characters').optional(),
  }),
  'type',
)
  .refine((p) => p.type !== 'Localhost' || p.localhostProfile !== undefined, {
    path: ['localhostProfile'],
    error: 'must be set when type is Localhost',
  })
  .refine((p) => p.type === 'Localhost' || p.localhostProfile === undefined, {
    path: ['localhostProfile'],
    error: 'may only be set when type is Localhost',
  })
  .refine((p) => p.localhostProfile === p.localhostProfile?.trim(), {
    path: ['localhostProfile'],
    error: 'must not begin or end with white space',
  });

/**
 * Parts of a process' SELinux label; none of them is no label of its own. A machine without SELinux does nothing with
 * it.
 */
const SeLinuxOptions = object({
  user: unset('', z.string().optional()),
  role: unset('', z.string().optional()),
  type: unset('', z.string().optional()),
  level: unset('', z.string().optional()),
}).transform((label) => (Object.values(label).some((part) => part !== undefined) ? label : undefined));

/** Fields that a pod's and a container's security context share. */
const CONFINED = { appArmorProfile: AppArmorProfile.optional(), seLinuxOptions: SeLinuxOptions.optional() };
const SECURITY_NOT_YET: NotYet = { windowsOptions: [{}] };

const SecurityContext = object(
  {
    runAsUser: NumericId.optional(),
    runAsGroup: NumericId.optional(),
    runAsNonRoot: z.boolean().optional(),
    privileged: z.boolean().default(false),
    readOnlyRootFilesystem: z.boolean().default(false),
    allowPrivilegeEscalation: z.boolean().optional(),
    capabilities: object({ add: z.array(z.string()).optional(), drop: z.array(z.string()).optional() }).optional(),
    seccompProfile: SeccompProfile.optional(),
    ...CONFINED,
    /** `Unmasked`: all of /proc is shown, for a pod with users of its own. The default is not written down. */
    procMount: unset(
      '',
      z
        .enum(['Default', 'Unmasked'])
        .transform((how) => (how === 'Default' ? undefined : how))
        .optional(),
    ),
  },
  { ...SECURITY_NOT_YET, cgroupOptions: [{}] },
);

/**
 * Whether a resource changes while the container runs. That it does is the default, and is not written down, so that
 * saying it changes no object. Source: Kubernetes, KEP-1287.
 */
const ResizePolicy = object({
  resourceName: z.enum(['cpu', 'memory']),
  restartPolicy: z.enum(['NotRequired', 'RestartContainer']),
});
const ResizePolicies = atomicList(['resourceName'], ResizePolicy)
  .refine(
    (list) => new Set(list.map(({ resourceName }) => resourceName)).size === list.length,
    'must name each resource once',
  )
  .transform((list) => {
    const restarts = list.filter(({ restartPolicy }) => restartPolicy === 'RestartContainer');
    return restarts.length > 0 ? restarts : undefined;
  });

const MOST_RESTART_RULES = 20;
const MOST_EXIT_CODES = 255;
/** Restarts a container whatever its restartPolicy says. Source: Kubernetes, KEP-5307. */
const RestartRule = object({
  action: z.enum(['Restart']),
  exitCodes: object({
    operator: z.enum(['In', 'NotIn']),
    values: listSet(int32(-MAX_INT32 - 1))
      .min(1, 'must have at least one exit code')
      .max(MOST_EXIT_CODES, `must have at most ${MOST_EXIT_CODES} exit codes`),
  }),
});

const ContainerShape = object(
  {
    name: DnsLabel,
    image: z
      .string()
      .min(1, 'is required')
      .regex(/^\S(.*\S)?$/s, 'must not begin or end with white space'),
    imagePullPolicy: unset('', z.enum(['Always', 'IfNotPresent', 'Never']).optional()),
    command: z.array(z.string()).optional(),
    args: z.array(z.string()).optional(),
    workingDir: unset('', z.string().optional()),
    ports: listMap(['containerPort', 'protocol'], ContainerPort).optional(),
    env: listMap(['name'], EnvVar).optional(),
    envFrom: atomicList(['configMapRef', 'secretRef', 'prefix'], EnvFrom).optional(),
    resources: object({ limits: ResourceList.optional(), requests: ResourceList.optional() }, { claims: [[]] }).default(
      {},
    ),
    livenessProbe: Probe.optional(),
    readinessProbe: Probe.optional(),
    startupProbe: Probe.optional(),
    lifecycle: object({
      preStop: LifecycleHandler.optional(),
      postStart: LifecycleHandler.optional(),
      /** Absent: the image's own, else SIGTERM. Source: Kubernetes, KEP-4960. */
      stopSignal: z
        .string()
        .refine((name) => signalNumber(name) !== undefined, 'must be the name of a signal, such as SIGQUIT')
        .optional(),
    }).optional(),
    securityContext: SecurityContext.optional(),
    volumeMounts: listMap(['mountPath'], VolumeMount).optional(),
    stdin: z.boolean().default(false),
    /** Its input ends with the first client that had it. */
    stdinOnce: z.boolean().default(false),
    tty: z.boolean().default(false),
    terminationMessagePath: unset('', z.string().default('/dev/termination-log')),
    terminationMessagePolicy: unset('', z.enum(['File', 'FallbackToLogsOnError']).default('File')),
    resizePolicy: ResizePolicies.optional(),
    /** Absent: as the pod's. Of an init container, `Always` makes it a sidecar: see `isSidecar`. */
    restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).optional(),
    restartPolicyRules: z
      .array(RestartRule)
      .max(MOST_RESTART_RULES, `must have at most ${MOST_RESTART_RULES} rules`)
      .optional(),
  },
  {
    volumeDevices: [[]],
  },
);

export const Container = ContainerShape.transform((c) => ({
  ...c,
  imagePullPolicy: c.imagePullPolicy ?? defaultPullPolicy(c.image),
  resources: {
    ...c.resources,
    ...(c.resources.limits && { requests: { ...c.resources.limits, ...c.resources.requests } }),
  },
}));
export type Container = z.infer<typeof Container>;

const {
  ports: _ports,
  resources: _resources,
  livenessProbe: _liveness,
  readinessProbe: _readiness,
  startupProbe: _startup,
  lifecycle: _lifecycle,
  resizePolicy: _resize,
  restartPolicy: _restart,
  restartPolicyRules: _rules,
  ...ofAnyContainer
} = ContainerShape.shape;
/**
 * A container that somebody puts into a running pod for a look at it: through the API, never in a manifest. It asks for
 * nothing, is not probed, and is not started again. Source: Kubernetes, KEP-277.
 */
export const EphemeralContainer = object({
  ...ofAnyContainer,
  resources: object({}).default({}),
  /** Whose processes it sees; absent: its own. */
  targetContainerName: unset('', DnsLabel.optional()),
}).transform((c) => ({ ...c, imagePullPolicy: c.imagePullPolicy ?? defaultPullPolicy(c.image) }));
export type EphemeralContainer = z.infer<typeof EphemeralContainer>;

export const Toleration = object({
  key: unset('', QualifiedName.optional()),
  operator: unset('', z.enum(['Exists', 'Equal']).default('Equal')),
  value: LabelValue.optional(),
  effect: unset('', z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional()),
  tolerationSeconds: z.int().optional(),
});
export type Toleration = z.infer<typeof Toleration>;

const IpAddress = z
  .string()
  .refine((text) => [z.ipv4(), z.ipv6()].some((kind) => kind.safeParse(text).success), 'must be an IP address');
/** A line of the pod's hosts file. */
const HostAlias = object({ ip: IpAddress, hostnames: z.array(DnsSubdomain).optional() });

const DnsConfig = object({
  nameservers: z.array(IpAddress).optional(),
  searches: z.array(z.string()).optional(),
  options: z.array(object({ name: z.string().min(1, 'is required'), value: z.string().optional() })).optional(),
});

/** Source: Kubernetes, SysctlContainSlashRegexp and SysctlMaxLength. */
const Sysctl = object({
  name: z
    .string()
    .max(253, 'must be no more than 253 characters')
    .regex(
      /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/,
      "must consist of lower case letters, digits, '-' and '_', in parts with '.' or '/' between them",
    ),
  value: z.string(),
});

/** Every pod tolerates a short outage of its node (Kubernetes' DefaultTolerationSeconds admission plugin). */
const OUTAGE_TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
const OUTAGE_TOLERATION_SECONDS = 300;
function withOutageTolerations(tolerations: readonly Toleration[] | undefined): Toleration[] {
  const given = tolerations ?? [];
  const covers = (key: string): boolean =>
    given.some(
      (t) =>
        (t.key === key || (t.key === undefined && t.operator === 'Exists')) &&
        (t.effect === undefined || t.effect === 'NoExecute'),
    );
  const added = OUTAGE_TAINTS.filter((key) => !covers(key)).map((key): Toleration => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: OUTAGE_TOLERATION_SECONDS,
  }));
  return [...given, ...added];
}

const PodSpecShape = object(
  {
    containers: listMap(['name'], Container).min(1, 'must have at least one container'),
    initContainers: listMap(['name'], Container).optional(),
    restartPolicy: unset('', z.enum(['Always', 'OnFailure', 'Never']).default('Always')),
    /** A negative one is 1, as in Kubernetes. */
    terminationGracePeriodSeconds: int32(-MAX_INT32 - 1)
      .transform((seconds) => (seconds < 0 ? 1 : seconds))
      .default(30),
    activeDeadlineSeconds: int32(1).optional(),
    nodeName: unset('', DnsSubdomain.optional()),
    nodeSelector: atomic(z.record(QualifiedName, LabelValue)).optional(),
    affinity: Affinity.optional(),
    topologySpreadConstraints: listMap(['topologyKey', 'whenUnsatisfiable'], TopologySpreadConstraint).optional(),
    tolerations: atomicList(['key', 'operator', 'effect', 'value'], Toleration).optional(),
    /** Name of the PriorityClass that the scheduler takes the pod's priority from. */
    priorityClassName: unset('', DnsSubdomain.optional()),
    /** Absent: what the PriorityClass says. */
    preemptionPolicy: PreemptionPolicy.optional(),
    schedulingGates: listMap(['name'], PodSchedulingGate).optional(),
    readinessGates: atomicList(['conditionType'], PodReadinessGate).optional(),
    /** Absent: the runtime's own default. */
    runtimeClassName: unset('', DnsSubdomain.optional()),
    /** What all containers together ask for and may have, whatever each of them says. Source: Kubernetes, KEP-2837. */
    resources: object(
      { limits: ResourceList.optional(), requests: ResourceList.optional() },
      { claims: [[]] },
    ).optional(),
    /** What the pod takes besides what its containers ask for: what its RuntimeClass says. */
    overhead: ResourceList.optional(),
    hostNetwork: z.boolean().default(false),
    hostPID: z.boolean().default(false),
    hostIPC: z.boolean().default(false),
    /** False: its users are none of the node's. That they are the node's is the default, and not written down. */
    hostUsers: z
      .boolean()
      .transform((asOnNode) => (asOnNode ? undefined : asOnNode))
      .optional(),
    /** All containers see each other's processes, and the sandbox's. */
    shareProcessNamespace: z.boolean().default(false),
    hostname: unset('', DnsLabel.optional()),
    /** With it the pod knows itself as `HOSTNAME.SUBDOMAIN.NAMESPACE.svc.cluster.local`. */
    subdomain: unset('', DnsLabel.optional()),
    /** Whether the kernel's host name is that long one. */
    setHostnameAsFQDN: z.boolean().default(false),
    /** The kernel's host name, whatever else is said. Source: Kubernetes, KEP-4762. */
    hostnameOverride: DnsSubdomain.max(64, 'must be no more than 64 characters').optional(),
    hostAliases: listMap(['ip'], HostAlias).optional(),
    dnsConfig: DnsConfig.optional(),
    dnsPolicy: unset(
      '',
      z.enum(['ClusterFirst', 'Default', 'ClusterFirstWithHostNet', 'None']).default('ClusterFirst'),
    ),
    enableServiceLinks: z.boolean().default(true),
    schedulerName: unset('', z.string().default(DEFAULT_SCHEDULER_NAME)),
    /** Absent: the namespace's `default`. */
    serviceAccountName: unset('', DnsSubdomain.optional()),
    /** Secrets of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`. */
    imagePullSecrets: listMap(['name'], object({ name: DnsSubdomain })).optional(),
    /** The older name of serviceAccountName. */
    serviceAccount: unset('', DnsSubdomain.optional()),
    securityContext: object(
      {
        runAsUser: NumericId.optional(),
        runAsGroup: NumericId.optional(),
        runAsNonRoot: z.boolean().optional(),
        fsGroup: NumericId.optional(),
        /** Of volumes that outlive pods. Absent: Always. */
        fsGroupChangePolicy: z.enum(['Always', 'OnRootMismatch']).optional(),
        sysctls: atomicList(['name'], Sysctl).optional(),
        supplementalGroups: z.array(NumericId).optional(),
        /** `Strict`: of the groups in the image's /etc/group none. Absent: Merge. Source: Kubernetes, KEP-3619. */
        supplementalGroupsPolicy: z
          .enum(['Merge', 'Strict'])
          .transform((policy) => (policy === 'Merge' ? undefined : policy))
          .optional(),
        seccompProfile: SeccompProfile.optional(),
        ...CONFINED,
      },
      {
        ...SECURITY_NOT_YET,
        seLinuxChangePolicy: ['MountOption'],
      },
    ).optional(),
    volumes: listMap(['name'], Volume).optional(),
    /** What the pod's programs are made for: looked at, and not written down. */
    os: object({ name: z.literal('linux') }).optional(),
  },
  {
    // No pod has a token that it does not name in a projected volume, as there is no API in the cluster yet: one that
    // wants none gets what it asks for, and the default is known to every pod without the field.
    automountServiceAccountToken: [true, false],
    ephemeralContainers: [[]],
    priority: NEVER,
    resourceClaims: [[]],
    schedulingGroup: NEVER,
    workloadRef: NEVER,
  },
).superRefine(({ os, containers, initContainers }, context) => {
  if (os) return;
  for (const [list, entries] of Object.entries({ containers, initContainers }))
    for (const [index, { lifecycle }] of (entries ?? []).entries())
      if (lifecycle?.stopSignal !== undefined)
        context.addIssue({
          code: 'custom',
          path: [list, index, 'lifecycle', 'stopSignal'],
          message: 'may only be set where spec.os.name is',
        });
});
/**
 * `RuntimeDefault` of AppArmor is what a pod gets anyhow. Where the pod does not say another one, it is not written down:
 * that a machine has no AppArmor keeps no such pod away.
 */
function withoutDefaultProfiles<S extends z.infer<typeof PodSpecShape>>({
  securityContext,
  containers,
  initContainers,
}: S): Pick<S, 'containers'> & Partial<Pick<S, 'securityContext' | 'initContainers'>> {
  const { appArmorProfile, ...rest } = securityContext ?? {};
  if (appArmorProfile && appArmorProfile.type !== 'RuntimeDefault') return { containers };
  const strip = (container: Container): Container => {
    const { appArmorProfile: own, ...others } = container.securityContext ?? {};
    return own?.type === 'RuntimeDefault'
      ? { ...container, securityContext: others as NonNullable<Container['securityContext']> }
      : container;
  };
  return {
    containers: containers.map(strip),
    ...(initContainers && { initContainers: initContainers.map(strip) }),
    ...(appArmorProfile && { securityContext: rest }),
  };
}

/**
 * What the pod as a whole asks for where it has limits and does not say: what its containers ask for, else as much as
 * its limits. Source: Kubernetes pkg/apis/core/v1/defaults.go (setDefaultPodRequests).
 */
function withPodRequests(spec: Parameters<typeof sumOfRequests>[0]): { readonly resources?: PodResources } {
  const { resources: { limits = {}, requests = {} } = {}, overhead: _overhead, ...containers } = spec;
  if (Object.keys(limits).length === 0) return Object.keys(requests).length > 0 ? { resources: { requests } } : {};
  const derived = Object.entries(quantitiesOf(sumOfRequests(containers, {}))).filter(
    ([name]) => isOfWholePod(name) && !name.startsWith('hugepages-'),
  );
  const all = { ...limits, ...Object.fromEntries(derived), ...requests };
  return { resources: { limits, requests: all } };
}

export const PodSpec = readAs({ serviceAccount: 'serviceAccountName' }, PodSpecShape).transform(
  ({ serviceAccount, serviceAccountName = serviceAccount, os: _os, resources, ...spec }) => ({
    ...spec,
    // The default is not written down, so that naming it changes no pod.
    ...(serviceAccountName !== undefined && serviceAccountName !== DEFAULT_SERVICE_ACCOUNT && { serviceAccountName }),
    tolerations: withOutageTolerations(spec.tolerations),
    ...withoutDefaultProfiles(spec),
    ...withPodRequests({ ...spec, ...(resources && { resources }) }),
  }),
);
export type PodSpec = z.infer<typeof PodSpec>;

export const PodTemplateSpec = object({ metadata: TemplateMeta.default({}), spec: PodSpec });
export type PodTemplateSpec = z.infer<typeof PodTemplateSpec>;

const ContainerState = object({
  waiting: object({ reason: z.string(), message: z.string().optional() }).optional(),
  running: object({ startedAt: Timestamp }).optional(),
  terminated: object({
    exitCode: z.int(),
    signal: z.int().optional(),
    reason: z.string(),
    message: z.string().optional(),
    startedAt: Timestamp,
    finishedAt: Timestamp,
    containerID: z.string(),
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
  stopSignal: z.string().optional(),
  /** Requests that its node has said yes to. */
  allocatedResources: ResourceList.optional(),
  /** What is in force for the running container. */
  resources: object({ limits: ResourceList.optional(), requests: ResourceList.optional() }).optional(),
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
  hostIPs: z.array(object({ ip: z.string() })).optional(),
  qosClass: z.enum(['Guaranteed', 'Burstable', 'BestEffort']).optional(),
  /** `metadata.generation` of the pod that the node speaks of. */
  observedGeneration: z.int().optional(),
  startTime: Timestamp.optional(),
  containerStatuses: z.array(ContainerStatus).optional(),
  initContainerStatuses: z.array(ContainerStatus).optional(),
  ephemeralContainerStatuses: z.array(ContainerStatus).optional(),
});
export type PodStatus = z.infer<typeof PodStatus>;

export const PodManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: ManifestMeta,
  spec: allocated(['nodeName'], PodSpec),
});
/** A pod. `spec.nodeName` is its binding: set once by the scheduler, never changed. */
export interface Pod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: ObjectMeta;
  readonly spec: PodSpec & { readonly ephemeralContainers?: readonly EphemeralContainer[] };
  readonly status?: PodStatus;
}
export type StoredPod = Pod & { readonly metadata: StoredMeta };
