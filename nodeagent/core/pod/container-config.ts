/** A pod's containers and sandbox as the runtime wants them. */
import { withDefaultTag } from '../../../contracts/objects/image-name.ts';
import { bandwidthAnnotations } from '../../../contracts/objects/pod-bandwidth.ts';
import type { Container, Pod } from '../../../contracts/objects/index.ts';
import { allContainers, lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import { dottedSysctl } from '../../../contracts/objects/sysctls.ts';
import { resolveEnv, type EnvInput } from './env.ts';
import { expandReferences, MOST_CHARS, tooLong } from './expand.ts';
import { hugePageLimits } from '../node/huge-pages.ts';
import { ANNOTATION, cgroupParent, containerLogPath, LABEL, podLabels } from './identity.ts';
import { resourcesWithin } from './linux-resources.ts';
import { logFolder, terminationFile } from './layout.ts';
import { containerMounts } from './mounts.ts';
import { podHostname } from './names.ts';
import { identityOf, type PodObjects } from './objects.ts';
import type { Role } from './observed.ts';
import type { Resolved } from './resolved.ts';
import { madeWith } from './allocation.ts';
import type { ContainerConfig, SandboxConfig, UserIds } from './runtime-types.ts';
import { containerSecurity, namespacesOf, sandboxSecurity, type SecurityFacts } from './security.ts';

export interface NodeFacts extends SecurityFacts {
  readonly hostIP: string;
  /** Empty where there is none. */
  readonly hostIPv6?: string | undefined;
  readonly systemdCgroup: boolean;
  /** Sizes of huge pages that the kernel knows, bytes. */
  readonly hugePageSizes: readonly number[];
  /** Whether the kernel has AppArmor. */
  readonly appArmor: boolean;
  /** Whether the runtime can leave out groups of the image. */
  readonly strictGroups: boolean;
  /** Handlers of the runtime that can give a pod users of its own. */
  readonly userNamespaces: readonly string[];
  /** Whether this machine answers the cluster's names. */
  readonly clusterDns: boolean;
  /** Of the cluster's names. */
  readonly clusterDomain: string;
  /**
   * Where pods' links are a CNI plugin's of the user's: this node's pod ranges, which are all that the plugin may give
   * addresses of. Empty while the node has none.
   */
  readonly foreignRanges?: readonly string[] | undefined;
  /** Whether the runtime can make what is mounted below a mount read-only too. */
  readonly recursiveReadOnly: boolean;
}

/** How a container came to be made: kept on it as annotations. */
export interface Attempt {
  readonly number: number;
  readonly restarts: number;
  readonly backoffMs: number;
  readonly role: Role;
}

/** See `kernelHostname`, `podDns` and `handlerOf`; where a container is made, none of them matters. */
type SandboxNames = Pick<SandboxConfig, 'hostname' | 'dns'> &
  Partial<Pick<SandboxConfig, 'runtimeHandler'>> & { readonly users?: UserIds | undefined };

export function sandboxConfig(
  pod: Pod,
  attempt: number,
  facts: NodeFacts,
  { hostname, dns, runtimeHandler = '', users }: SandboxNames = { hostname: podHostname(pod), dns: undefined },
): SandboxConfig {
  const identity = identityOf(pod);
  const containers = allContainers(pod.spec);
  return {
    pod: identity,
    attempt,
    address: undefined,
    runtimeHandler,
    hostname,
    logDirectory: logFolder(facts.folders, identity),
    hostNetwork: pod.spec.hostNetwork,
    namespaces: { ...namespacesOf(pod), ...(users && { users }) },
    sysctls: Object.fromEntries(
      (pod.spec.securityContext?.sysctls ?? []).map(({ name, value }) => [dottedSysctl(name), value]),
    ),
    cgroupParent: cgroupParent(identity.uid, facts.systemdCgroup),
    privileged: containers.some((container) => container.securityContext?.privileged === true),
    labels: podLabels(identity),
    annotations: {
      [ANNOTATION.grace]: String(pod.spec.terminationGracePeriodSeconds),
      [ANNOTATION.limited]: 'true',
      ...(users && { [ANNOTATION.userIds]: String(users.first) }),
      // From there a runtime takes what it hands to the plugin (containerd pkg/cri/server: toCNIBandWidth).
      ...(facts.foreignRanges && bandwidthAnnotations(pod.metadata.annotations)),
    },
    // They are led by rules of ours: a plugin that did it too would open them at every address.
    portMappings:
      pod.spec.hostNetwork || facts.foreignRanges
        ? []
        : lastingContainers(pod.spec).flatMap((container) =>
            (container.ports ?? []).flatMap((port) =>
              port.hostPort === undefined
                ? []
                : [{ containerPort: port.containerPort, hostPort: port.hostPort, protocol: port.protocol }],
            ),
          ),
    dns,
    security: sandboxSecurity(pod),
  };
}

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: Attempt;
  readonly objects: PodObjects;
  readonly podIP: string;
  readonly podIPv6?: string | undefined;
  readonly facts: NodeFacts;
  /** Id of the container whose processes it is to see. */
  readonly pidTarget?: string;
  /** Those of its sandbox. */
  readonly users?: UserIds | undefined;
}

/** The configuration, or why it cannot be made yet (`CreateContainerConfigError`). */
export function containerConfig(input: ContainerInput): Resolved<ContainerConfig> {
  const { pod, container, attempt, facts } = input;
  const identity = identityOf(pod);
  const env = resolveEnv({
    pod,
    container,
    objects: input.objects,
    podIP: input.podIP,
    hostIP: facts.hostIP,
    podIPv6: input.podIPv6,
    hostIPv6: facts.hostIPv6,
  } satisfies EnvInput);
  if (!env.ok) return env;
  const values = new Map(env.value.map(({ name, value }) => [name, value]));
  const mounts = containerMounts({
    pod,
    container,
    attempt: attempt.number,
    env: values,
    ...facts,
    users: input.users,
  });
  if (!mounts.ok) return mounts;
  const { command = [], args = [] } = container;
  const words = expandedWords([...command, ...args], values);
  if (!words.ok) return words;
  const termination = terminationFile(facts.folders, identity.uid, container.name, attempt.number);
  const security = containerSecurity(pod, container, facts);
  if (!security.ok) return security;
  return {
    ok: true,
    value: {
      name: container.name,
      attempt: attempt.number,
      image: withDefaultTag(container.image),
      command: words.value.slice(0, command.length),
      args: words.value.slice(command.length),
      workingDir: container.workingDir ?? '',
      env: [{ name: 'HOSTNAME', value: podHostname(pod) }, ...env.value],
      mounts: mounts.value,
      labels: { ...podLabels(identity), [LABEL.containerName]: container.name },
      annotations: {
        [ANNOTATION.restarts]: String(attempt.restarts),
        [ANNOTATION.backoff]: String(attempt.backoffMs),
        [ANNOTATION.role]: attempt.role,
        [ANNOTATION.grace]: String(pod.spec.terminationGracePeriodSeconds),
        [ANNOTATION.resources]: madeWith(container),
        [ANNOTATION.terminationMessage]: termination,
        ...(container.lifecycle?.stopSignal !== undefined && {
          [ANNOTATION.stopSignal]: container.lifecycle.stopSignal,
        }),
        ...(!pod.spec.hostNetwork && { [ANNOTATION.address]: input.podIP }),
      },
      logPath: containerLogPath(container.name, attempt.number),
      stdin: container.stdin,
      stdinOnce: container.stdinOnce,
      tty: container.tty,
      resources: resourcesWithin(pod.spec, container),
      hugePages: hugePageLimits(
        { resources: { limits: { ...pod.spec.resources?.limits, ...container.resources.limits } } },
        facts.hugePageSizes,
      ),
      security: {
        ...security.value,
        namespaces: {
          ...security.value.namespaces,
          ...(input.pidTarget !== undefined && { pid: { of: input.pidTarget } }),
          ...(input.users && { users: input.users }),
        },
      },
    },
  };
}

function expandedWords(words: readonly string[], env: ReadonlyMap<string, string>): Resolved<readonly string[]> {
  const expanded: string[] = [];
  let chars = 0;
  for (const word of words) {
    const one = expandReferences(word, (name) => env.get(name));
    if (!one.ok) return one;
    chars += one.value.length;
    if (chars > MOST_CHARS) return tooLong('the command with its arguments');
    expanded.push(one.value);
  }
  return { ok: true, value: expanded };
}
