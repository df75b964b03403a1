/** Pods as small as a runtime takes them: one container, a shell line. */
import { LABEL, podLabels } from '../../../nodeagent/core/pod/identity.ts';
import type { ContainerConfig, PodIdentity, SandboxConfig } from '../../../nodeagent/core/pod/runtime-types.ts';
import { MASKED_PATHS, READONLY_PATHS } from '../../../nodeagent/core/pod/security.ts';

export interface PodMaker {
  readonly newPod: () => PodIdentity;
  readonly sandboxOf: (pod: PodIdentity, more?: Partial<SandboxConfig>) => SandboxConfig;
  readonly containerOf: (pod: PodIdentity, line: string, more?: Partial<ContainerConfig>) => ContainerConfig;
}

let pods = 0;

export function podMaker(under: () => { readonly image: string; readonly logFolder: string }): PodMaker {
  return {
    newPod: () => ({ namespace: 'default', name: `pod-${(pods += 1)}`, uid: `contract-${process.pid}-${pods}` }),
    sandboxOf: (pod, more = {}) => ({
      pod,
      attempt: 0,
      address: undefined,
      runtimeHandler: '',
      hostname: pod.name,
      logDirectory: `${under().logFolder}/${pod.uid}`,
      hostNetwork: false,
      namespaces: { pid: 'container', ipc: 'pod' },
      sysctls: {},
      cgroupParent: `/plumbline/pod${pod.uid}`,
      privileged: false,
      labels: podLabels(pod),
      annotations: { note: 'kept' },
      portMappings: [],
      dns: undefined,
      security: {
        runAsUser: undefined,
        runAsGroup: undefined,
        supplementalGroups: [],
        seccomp: { type: 'RuntimeDefault' },
        seLinux: undefined,
        strictGroups: false,
      },
      ...more,
    }),
    containerOf: (pod, line, more = {}) => ({
      name: 'main',
      attempt: 3,
      image: under().image,
      command: ['/bin/sh', '-c', line],
      args: [],
      workingDir: '',
      env: [],
      mounts: [],
      labels: { ...podLabels(pod), [LABEL.containerName]: 'main' },
      annotations: { 'plumbline.dev/restart-count': '3' },
      logPath: 'main/3.log',
      stdin: false,
      stdinOnce: false,
      tty: false,
      resources: { cpuPeriod: 0, cpuQuota: 0, cpuShares: 2, memoryBytes: 0, oomScoreAdj: 1000 },
      hugePages: [],
      security: {
        privileged: false,
        runAsUser: undefined,
        runAsGroup: undefined,
        supplementalGroups: [],
        readOnlyRootFilesystem: false,
        noNewPrivileges: false,
        addCapabilities: [],
        dropCapabilities: [],
        hostNetwork: false,
        namespaces: { pid: 'container', ipc: 'pod' },
        seccomp: { type: 'RuntimeDefault' },
        appArmor: undefined,
        seLinux: undefined,
        strictGroups: false,
        maskedPaths: MASKED_PATHS,
        readonlyPaths: READONLY_PATHS,
      },
      ...more,
    }),
  };
}
