/** The checks of `baseline`. Source: Kubernetes, pod-security-admission/policy/check_*.go. */
import {
  containersOf,
  containersText,
  hasOwnUsers,
  listed,
  namesOf,
  plural,
  quoted,
  settersText,
  type Check,
  type Judge,
  type SecuredContainer,
  type SecuredPod,
} from './check.ts';

const APP_ARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const isAllowedAnnotation = (value: string): boolean =>
  value === '' || value === 'runtime/default' || value.startsWith('localhost/');
const isConfined = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost';

const appArmorProfile: Judge = (pod) => {
  const { annotations, spec } = pod;
  const isBad = (profile: { readonly type: string } | undefined): boolean =>
    profile !== undefined && !isConfined(profile.type);
  const values = [spec, ...containersOf(pod.spec)].flatMap(({ securityContext }) => {
    const profile = securityContext?.appArmorProfile;
    return profile && isBad(profile) ? [profile.type] : [];
  });
  const noted = Object.entries(annotations)
    .filter(([name, value]) => name.startsWith(APP_ARMOR_PREFIX) && !isAllowedAnnotation(value))
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  const bad = [...new Set(values), ...noted];
  if (bad.length === 0) return undefined;
  const setters = settersText(
    isBad(spec.securityContext?.appArmorProfile),
    namesOf(pod, ({ securityContext }) => isBad(securityContext?.appArmorProfile)),
  );
  const who = [
    ...(setters === undefined ? [] : [setters]),
    ...(noted.length > 0 ? [plural(noted.length, 'annotation')] : []),
  ];
  return {
    reason: plural(bad.length, 'forbidden AppArmor profile'),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(bad)}`,
  };
};

/** Those of the container runtimes' default set, without NET_RAW. */
const ADDABLE: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);
const capabilities: Judge = (pod) => {
  const added = ({ securityContext }: SecuredContainer): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !ADDABLE.has(name));
  const bad = namesOf(pod, (container) => added(container).length > 0);
  if (bad.length === 0) return undefined;
  return {
    reason: 'non-default capabilities',
    detail: `${containersText(bad)} must not include ${quoted(containersOf(pod.spec).flatMap(added).sort())} in securityContext.capabilities.add`,
  };
};

const hostNamespaces: Judge = ({ spec }) => {
  const shared = (['hostIPC', 'hostNetwork', 'hostPID'] as const).filter((field) => spec[field] === true);
  return shared.length === 0
    ? undefined
    : { reason: 'host namespaces', detail: `${shared.map((f) => `${f}=true`).join(', ')}` };
};

const hostPathVolumes: Judge = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter((volume) => 'hostPath' in volume && volume.hostPath !== undefined);
  if (bad.length === 0) return undefined;
  return {
    reason: 'hostPath volumes',
    detail: `${plural(bad.length, 'volume')} ${quoted(bad.map(({ name }) => name))}`,
  };
};

const hostPorts: Judge = (pod) => {
  const taken = ({ ports }: SecuredContainer): readonly string[] =>
    (ports ?? []).flatMap(({ hostPort }) => (hostPort === undefined || hostPort === 0 ? [] : [String(hostPort)]));
  const bad = namesOf(pod, (container) => taken(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = new Set(containersOf(pod.spec).flatMap(taken));
  return {
    reason: 'hostPort',
    detail: `${containersText(bad)} ${plural(bad.length, 'uses', 'use')} ${plural(ports.size, 'hostPort')} ${listed(ports)}`,
  };
};

/** A probe or hook of the kubelet, which is on the node's network, must not be a way to what is there. */
const hostProbesAndHostLifecycle: Judge = (pod) => {
  const hosts = (container: SecuredContainer): readonly string[] =>
    [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ]
      .flatMap((handler) => [handler?.httpGet?.host ?? '', handler?.tcpSocket?.host ?? ''])
      .filter((host) => host !== '');
  const bad = namesOf(pod, (container) => hosts(container).length > 0);
  if (bad.length === 0) return undefined;
  const named = [...new Set(containersOf(pod.spec).flatMap(hosts))].sort();
  return {
    reason: 'probe or lifecycle host',
    detail: `${containersText(bad)} ${plural(bad.length, 'uses', 'use')} ${plural(named.length, 'probe or lifecycle host')} ${quoted(named)}`,
  };
};

const privileged: Judge = (pod) => {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return { reason: 'privileged', detail: `${containersText(bad)} must not set securityContext.privileged=true` };
};

/** Whoever the users of the pod are. */
export const procMount: Judge = (pod) => {
  const unmasked = ({ securityContext }: SecuredContainer): string | undefined =>
    securityContext?.procMount === undefined || securityContext.procMount === 'Default'
      ? undefined
      : securityContext.procMount;
  const bad = namesOf(pod, (container) => unmasked(container) !== undefined);
  if (bad.length === 0) return undefined;
  const values = containersOf(pod.spec).flatMap((container) => unmasked(container) ?? []);
  return {
    reason: 'procMount',
    detail: `${containersText(bad)} must not set securityContext.procMount to ${quoted(values)}`,
  };
};

const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
function seLinuxOptions(allowed: readonly string[]): Judge {
  return (pod) => {
    const problems = (from: SecuredPod['spec'] | SecuredContainer): readonly string[] => {
      const { type = '', user = '', role = '' } = from.securityContext?.seLinuxOptions ?? {};
      return [
        ...(allowed.includes(type) ? [] : [`type "${type}"`]),
        ...(user === '' ? [] : ['user may not be set']),
        ...(role === '' ? [] : ['role may not be set']),
      ];
    };
    const setters = settersText(
      problems(pod.spec).length > 0,
      namesOf(pod, (container) => problems(container).length > 0),
    );
    if (setters === undefined) return undefined;
    const told = new Set([pod.spec, ...containersOf(pod.spec)].flatMap(problems));
    return {
      reason: 'seLinuxOptions',
      detail: `${setters} set forbidden securityContext.seLinuxOptions: ${[...told].join('; ')}`,
    };
  };
}

/** Of one that is set; whether it has to be is another check's. */
export const seccompProfile: Judge = (pod) => {
  const unconfined = ({ securityContext }: SecuredPod['spec'] | SecuredContainer): string | undefined =>
    securityContext?.seccompProfile && !isConfined(securityContext.seccompProfile.type)
      ? securityContext.seccompProfile.type
      : undefined;
  const setters = settersText(
    unconfined(pod.spec) !== undefined,
    namesOf(pod, (container) => unconfined(container) !== undefined),
  );
  if (setters === undefined) return undefined;
  const values = [pod.spec, ...containersOf(pod.spec)].flatMap((from) => unconfined(from) ?? []);
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  };
};

function sysctls(allowed: ReadonlySet<string>): Judge {
  return ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.has(name));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: listed(bad) };
  };
}
const SYSCTLS_1_0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_syncookies',
];
const SYSCTLS_1_27 = [...SYSCTLS_1_0, 'net.ipv4.ip_local_reserved_ports'];
const SYSCTLS_1_29 = [
  ...SYSCTLS_1_27,
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
];
const SYSCTLS_1_32 = [...SYSCTLS_1_29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const level = 'baseline';
export const BASELINE: readonly Check[] = [
  { id: 'appArmorProfile', level, since: [[0, appArmorProfile]] },
  { id: 'capabilities_baseline', level, since: [[0, capabilities]] },
  { id: 'hostNamespaces', level, since: [[0, hostNamespaces]] },
  { id: 'hostPathVolumes', level, since: [[0, hostPathVolumes]] },
  { id: 'hostPorts', level, since: [[0, hostPorts]] },
  { id: 'hostProbesAndHostLifecycle', level, since: [[34, hostProbesAndHostLifecycle]] },
  { id: 'privileged', level, since: [[0, privileged]] },
  {
    id: 'procMount',
    level,
    since: [
      [0, procMount],
      [35, (pod) => (hasOwnUsers(pod) ? undefined : procMount(pod))],
    ],
  },
  {
    id: 'seLinuxOptions',
    level,
    since: [
      [0, seLinuxOptions(SELINUX_TYPES)],
      [31, seLinuxOptions([...SELINUX_TYPES, 'container_engine_t'])],
    ],
  },
  { id: 'seccompProfile_baseline', level, since: [[19, seccompProfile]] },
  {
    id: 'sysctls',
    level,
    since: [
      [0, sysctls(new Set(SYSCTLS_1_0))],
      [27, sysctls(new Set(SYSCTLS_1_27))],
      [29, sysctls(new Set(SYSCTLS_1_29))],
      [32, sysctls(new Set(SYSCTLS_1_32))],
    ],
  },
];
