/**
 * What a container may do to its host. Source: Kubernetes pkg/securitycontext/util.go (masked and read-only paths),
 * pkg/kubelet/kuberuntime/helpers.go (seccomp: the container's field, else the pod's, else RuntimeDefault as under
 * `seccompDefault`) and kuberuntime_sandbox.go (the sandbox).
 */
import type { Container, Pod } from '../../../contracts/objects/index.ts';
import { seccompFolder, type NodeFolders } from './layout.ts';
import { hasOwnUsers } from './user-ids.ts';
import type { Resolved } from './resolved.ts';
import type { AppArmorProfile, ContainerSecurity, Namespaces, SandboxConfig, SeccompProfile } from './runtime-types.ts';

/** Shown empty: what tells of the host's kernel, memory, keys, devices and heat. */
export const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
] as const;
/** Root in a container is root to these: the kernel's settings are the host's. */
export const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const;

export interface SecurityFacts {
  readonly folders: NodeFolders;
  /** `/sys/devices/system/cpu/cpuN/thermal_throttle` of the processors that have it: masked as well. */
  readonly thermalPaths: readonly string[];
}

/** Or why the container must not be made (`CreateContainerConfigError`). */
export function containerSecurity(pod: Pod, container: Container, facts: SecurityFacts): Resolved<ContainerSecurity> {
  const own = container.securityContext;
  const ofPod = pod.spec.securityContext;
  const runAsUser = own?.runAsUser ?? ofPod?.runAsUser;
  if ((own?.runAsNonRoot ?? ofPod?.runAsNonRoot) === true && runAsUser === 0) {
    return { ok: false, message: "container's runAsUser breaks non-root policy" };
  }
  const seccomp = seccompProfile(own?.seccompProfile ?? ofPod?.seccompProfile, facts.folders);
  if (!seccomp.ok) return seccomp;
  const privileged = own?.privileged ?? false;
  // Who is root in users of their own is nobody to the kernel's settings.
  const unmasked = privileged || (own?.procMount === 'Unmasked' && hasOwnUsers(pod));
  return {
    ok: true,
    value: {
      privileged,
      runAsUser,
      runAsGroup: own?.runAsGroup ?? ofPod?.runAsGroup,
      supplementalGroups: supplementalGroups(pod),
      readOnlyRootFilesystem: own?.readOnlyRootFilesystem ?? false,
      noNewPrivileges: own?.allowPrivilegeEscalation === false,
      addCapabilities: own?.capabilities?.add ?? [],
      dropCapabilities: own?.capabilities?.drop ?? [],
      hostNetwork: pod.spec.hostNetwork,
      namespaces: namespacesOf(pod),
      seccomp: seccomp.value,
      appArmor: appArmorOf(pod, container),
      seLinux: own?.seLinuxOptions ?? ofPod?.seLinuxOptions,
      strictGroups: isStrict(pod),
      maskedPaths: unmasked ? [] : [...MASKED_PATHS, ...facts.thermalPaths],
      readonlyPaths: unmasked ? [] : READONLY_PATHS,
    },
  };
}

/** The process that holds a pod's namespaces does nothing: it gets the runtime's filter whatever the pod asks for. */
export function sandboxSecurity(pod: Pod): SandboxConfig['security'] {
  const context = pod.spec.securityContext;
  return {
    runAsUser: context?.runAsUser,
    runAsGroup: context?.runAsGroup,
    supplementalGroups: supplementalGroups(pod),
    seccomp: { type: 'RuntimeDefault' },
    seLinux: context?.seLinuxOptions,
    strictGroups: isStrict(pod),
  };
}

/** Source: Kubernetes pkg/kubelet/kuberuntime/util/util.go, PidNamespaceForPod and IpcNamespaceForPod. */
export function namespacesOf({ spec }: Pod): Namespaces {
  return {
    pid: spec.hostPID ? 'node' : spec.shareProcessNamespace ? 'pod' : 'container',
    ipc: spec.hostIPC ? 'node' : 'pod',
  };
}

/** The container's own, else the pod's. */
export function appArmorOf(pod: Pod, { securityContext }: Container): AppArmorProfile | undefined {
  const asked = securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;
  return asked?.type === 'Localhost'
    ? { type: 'Localhost', name: asked.localhostProfile ?? '' }
    : asked && { type: asked.type };
}

export function isStrict({ spec }: Pod): boolean {
  return spec.securityContext?.supplementalGroupsPolicy === 'Strict';
}

type AskedProfile = NonNullable<NonNullable<Container['securityContext']>['seccompProfile']>;

function seccompProfile(asked: AskedProfile | undefined, folders: NodeFolders): Resolved<SeccompProfile> {
  if (asked?.type !== 'Localhost') return { ok: true, value: { type: asked?.type ?? 'RuntimeDefault' } };
  const path = asked.localhostProfile ?? '';
  // Manifests are checked for it; a node holds to it by itself.
  if (path === '' || path.startsWith('/') || path.split('/').includes('..'))
    return { ok: false, message: `the seccomp profile "${path}" is none below ${seccompFolder(folders)}` };
  return { ok: true, value: { type: 'Localhost', path: `${seccompFolder(folders)}/${path}` } };
}

function supplementalGroups(pod: Pod): readonly number[] {
  const context = pod.spec.securityContext;
  return [...(context?.supplementalGroups ?? []), ...(context?.fsGroup === undefined ? [] : [context.fsGroup])];
}
