/**
 * Where a container has which volume. Source: Kubernetes pkg/kubelet/kubelet_pods.go (makeMounts,
 * resolveRecursiveReadOnly, translateMountPropagation) and pkg/kubelet/container/helpers.go (ExpandContainerVolumeMounts).
 */
import type { Container, Pod } from '../../../contracts/objects/index.ts';
import { expandReferences } from './expand.ts';
import { hostsFile, subPathTarget, terminationFile, type NodeFolders } from './layout.ts';
import { hasHostsFile } from './names.ts';
import type { Resolved } from './resolved.ts';
import type { Mount, UserIds } from './runtime-types.ts';
import { isReadOnly, isSealed, volumePath } from './volumes/index.ts';

type Asked = NonNullable<Container['volumeMounts']>[number];

export interface MountInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly env: ReadonlyMap<string, string>;
  readonly folders: NodeFolders;
  /** Whether the runtime can make what is mounted below a mount read-only too. */
  readonly recursiveReadOnly: boolean;
  /** Of a pod with users of its own. */
  readonly users?: UserIds | undefined;
}

/** Or why the container cannot be made as written (`CreateContainerConfigError`). */
export function containerMounts(input: MountInput): Resolved<readonly Mount[]> {
  const { pod, container, folders } = input;
  const uid = pod.metadata.uid ?? '';
  const mounts: Mount[] = [];
  for (const [index, asked] of (container.volumeMounts ?? []).entries()) {
    const mount = volumeMount(input, asked, index);
    if (!mount.ok) return mount;
    mounts.push(mount.value);
  }
  const taken = new Set(mounts.map((mount) => mount.containerPath));
  // In the host's network the runtime shows the host's own file.
  if (!taken.has('/etc/hosts') && hasHostsFile(pod)) mounts.push(ownFile('/etc/hosts', hostsFile(folders, uid)));
  if (!taken.has(container.terminationMessagePath))
    mounts.push(
      ownFile(container.terminationMessagePath, terminationFile(folders, uid, container.name, input.attempt)),
    );
  return { ok: true, value: mounts };
}

function ownFile(containerPath: string, hostPath: string): Mount {
  return { containerPath, hostPath, readOnly: false, recursiveReadOnly: false, propagation: 'None' };
}

function volumeMount(input: MountInput, asked: Asked, index: number): Resolved<Mount> {
  const { pod, container, folders } = input;
  const uid = pod.metadata.uid ?? '';
  const volume = pod.spec.volumes?.find((v) => v.name === asked.name);
  if (!volume) return failure(`volumeMounts names the volume "${asked.name}", which the pod does not have`);
  const subPath = subPathOf(asked, input.env);
  if (!subPath.ok) return subPath;
  const recursive = recursivelyReadOnly(asked, input.recursiveReadOnly);
  if (!recursive.ok) return recursive;
  const path = volumePath(volume, uid, folders);
  // Told again to the runtime, it would mount it anew, without the options that it has here.
  const sealed = isSealed(volume);
  return {
    ok: true,
    value: {
      containerPath: asked.mountPath,
      ...(subPath.value === ''
        ? { hostPath: path }
        : {
            hostPath: subPathTarget(folders, uid, container.name, index),
            partOf: { volume: path, subPath: subPath.value },
          }),
      readOnly: !sealed && (asked.readOnly || isReadOnly(volume)),
      recursiveReadOnly: !sealed && recursive.value,
      propagation: asked.mountPropagation ?? 'None',
      ...(input.users && { users: input.users }),
    },
  };
}

/** The kernel takes no longer one (PATH_MAX). */
const MOST_PATH_CHARS = 4096;

/** Empty for the whole volume. */
function subPathOf({ subPath = '', subPathExpr }: Asked, env: ReadonlyMap<string, string>): Resolved<string> {
  const missing = new Set<string>();
  const expanded: Resolved<string> =
    subPathExpr === undefined
      ? { ok: true, value: subPath }
      : expandReferences(subPathExpr, (name) => {
          const value = env.get(name) ?? '';
          if (value === '') missing.add(name);
          return value;
        });
  if (missing.size > 0) return failure(`missing value for ${[...missing].sort().join(', ')}`);
  if (!expanded.ok) return expanded;
  const part = expanded.value;
  if (part.length > MOST_PATH_CHARS) return failure(`a subPath of ${part.length} characters is too long`);
  if (part.startsWith('/')) return failure(`error SubPath \`${part}\` must not be an absolute path`);
  if (part.split('/').includes('..')) return failure(`unable to provision SubPath \`${part}\`: must not contain '..'`);
  return { ok: true, value: part };
}

function recursivelyReadOnly(asked: Asked, possible: boolean): Resolved<boolean> {
  const { name, recursiveReadOnly: mode = 'Disabled', readOnly, mountPropagation = 'None' } = asked;
  if (mode === 'Disabled') return { ok: true, value: false };
  const wants = `volume "${name}" requested recursive read-only mode, but it is not`;
  // Manifests are checked for these; a node holds to them by itself.
  if (!readOnly) return failure(`${wants} read-only`);
  if (mountPropagation !== 'None') return failure(`${wants} compatible with propagation "${mountPropagation}"`);
  if (!possible && mode === 'Enabled') return failure(`${wants} supported by the runtime`);
  return { ok: true, value: possible };
}

function failure(message: string): Resolved<never> {
  return { ok: false, message };
}
