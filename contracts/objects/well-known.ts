/** Names and values that Kubernetes or we fixed. Free of schemas: a node agent uses them. */

/** Label of an EndpointSlice: the Service it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** Labels of a Node. The first is its name; zone and region come from its Machine's labels. */
export const HOSTNAME_LABEL = 'kubernetes.io/hostname';
export const OS_LABEL = 'kubernetes.io/os';
export const ARCH_LABEL = 'kubernetes.io/arch';
export const ZONE_LABEL = 'topology.kubernetes.io/zone';
export const REGION_LABEL = 'topology.kubernetes.io/region';

/** Taint (NoExecute) of a node whose pods move away within their disruption budgets. */
export const DRAIN_TAINT = 'plumbline.dev/drain';

/** Label of a pod: the PodGroup it belongs to. Source: kubernetes-sigs/scheduler-plugins, coscheduling. */
export const POD_GROUP_LABEL = 'scheduling.x-k8s.io/pod-group';

/** The scheduler that pods are given to which name none. */
export const DEFAULT_SCHEDULER_NAME = 'default-scheduler';

/** The namespace of objects that name none. */
export const DEFAULT_NAMESPACE = 'default';

/**
 * Namespaces that are there without a manifest, and what is in them never goes with them. Source: Kubernetes, the system
 * namespaces controller and `immortalNamespaces` of the namespace lifecycle; `kube-public` and `kube-node-lease` are of
 * its API server, and of no use here.
 */
export const STANDING_NAMESPACES: readonly string[] = [DEFAULT_NAMESPACE, 'kube-system'];

/** The ServiceAccount of pods that name none; every namespace has it. */
export const DEFAULT_SERVICE_ACCOUNT = 'default';

/** Makes a folder on the node of a claim's first pod. */
export const LOCAL_PROVISIONER = 'plumbline.dev/local';
/**
 * Make a folder of a share for a claim: ours, and the names that manifests for Kubernetes have. Source:
 * kubernetes-csi/csi-driver-nfs, kubernetes-sigs/nfs-subdir-external-provisioner.
 */
export const NFS_PROVISIONERS = [
  'plumbline.dev/nfs',
  'nfs.csi.k8s.io',
  'k8s-sigs.io/nfs-subdir-external-provisioner',
] as const;
/** Annotation of a volume that is a folder of a share: the share's path on its server. */
export const NFS_SHARE = 'plumbline.dev/nfs-share';
/** Annotation of such a volume: permissions of its folder, octal, where its class says them. */
export const NFS_FOLDER_MODE = 'plumbline.dev/nfs-folder-mode';
/** Annotation of such a volume: `delete`, `archive` or `retain`. */
export const NFS_ON_DELETE = 'plumbline.dev/nfs-on-delete';
/** Annotation of such a volume: `true` once its folder is there. */
export const NFS_FOLDER_MADE = 'plumbline.dev/nfs-folder-made';
/** Annotation of such a volume: the node whose agent does what is to be done on the share. */
export const TENDED_BY = 'plumbline.dev/tended-by';
/** Annotation of a volume: who made it. Source: Kubernetes, component-helpers/storage/volume AnnDynamicallyProvisioned. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
/**
 * Annotation of a volume: uid of the claim that gave up what is in it. Without it nobody removes data, whatever becomes
 * of claim and volume.
 */
export const DATA_GIVEN_UP = 'plumbline.dev/data-given-up';
/** Annotation of a volume of ours: `enforced` where it cannot take more room than its size. Its class says it, once. */
export const VOLUME_SIZE = 'plumbline.dev/size';
/**
 * Annotation of a volume that its node is to let grow to its capacity: the capacity that it had. Source: Kubernetes,
 * pkg/volume/util AnnPreResizeCapacity.
 */
export const SIZE_BEFORE_GROWTH = 'volume.alpha.kubernetes.io/pre-resize-capacity';
/** Of a class whose volumes are made by people. Source: Kubernetes, NotSupportedProvisioner. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

/**
 * Annotation of a pod template and its pods: a hash of what they read of ConfigMaps and Secrets. Files of a pod that has
 * one stay as they were mounted.
 */
export const CONFIG_HASH = 'plumbline.dev/config-hash';

/** Prefix of the names of PriorityClasses that are built in. */
export const SYSTEM_PRIORITY_PREFIX = 'system-';
/** Above what a PriorityClass in Git may have. */
export const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};
/** The highest value that a PriorityClass in Git may have. */
export const HIGHEST_USER_PRIORITY = 1_000_000_000;
