/**
 * The pod that a DaemonSet has on a node, and whether it should have one there. Source: Kubernetes,
 * NodeShouldRunDaemonPod of pkg/controller/daemon/daemon_controller.go; AddOrUpdateDaemonPodTolerations and
 * ReplaceDaemonSetPodNodeNameNodeAffinity of pkg/controller/daemon/util/daemonset_util.go.
 */
import {
  CONFIG_HASH,
  DRAIN_TAINT,
  type DaemonSet,
  type Node,
  type Pod,
  type PodSpec,
  type PodTemplateSpec,
  type RuntimeClass,
  type StoredPod,
  type Toleration,
} from '../../../contracts/objects/index.ts';
import { nodeRequired } from '../../../contracts/objects/node-selector.ts';
import { untolerated } from '../../../contracts/objects/taints.ts';
import { withRuntimeClass } from '../runtime-classes/pod-class.ts';
import { REVISION_LABEL } from './revision-history.ts';
import { withConfigHash } from './config-hash.ts';
import { templateHash } from './template.ts';
import { isUnheard, PODS_KNOWN } from './unheard.ts';

const tolerate = (key: string, effect: 'NoSchedule' | 'NoExecute'): Toleration => ({ key, operator: 'Exists', effect });

/**
 * A daemon belongs to its node: it stays while the node is in trouble, and comes to one that takes no other pods. The
 * last is ours: a drain leaves daemons alone, as `kubectl drain --ignore-daemonsets` does.
 */
const TOLERATIONS: readonly Toleration[] = [
  tolerate('node.kubernetes.io/not-ready', 'NoExecute'),
  tolerate('node.kubernetes.io/unreachable', 'NoExecute'),
  tolerate('node.kubernetes.io/disk-pressure', 'NoSchedule'),
  tolerate('node.kubernetes.io/memory-pressure', 'NoSchedule'),
  tolerate('node.kubernetes.io/pid-pressure', 'NoSchedule'),
  tolerate('node.kubernetes.io/unschedulable', 'NoSchedule'),
  tolerate(DRAIN_TAINT, 'NoExecute'),
];
const HOST_NETWORK_TOLERATION = tolerate('node.kubernetes.io/network-unavailable', 'NoSchedule');

/** For as long as the template lives: every node is held against them. */
const known = new WeakMap<PodSpec, Toleration[]>();

/** What the DaemonSet's pods tolerate. One of the template that differs in its time alone is replaced. */
function tolerationsOf(spec: PodSpec): Toleration[] {
  const found = known.get(spec);
  if (found) return found;
  const made = withDaemonTolerations(spec);
  known.set(spec, made);
  return made;
}

function withDaemonTolerations({ tolerations, hostNetwork }: PodSpec): Toleration[] {
  const added = hostNetwork ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  const isSame = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? '') === (b.value ?? '');
  return [
    ...tolerations.map((own) => added.find((one) => isSame(own, one)) ?? own),
    ...added.filter((one) => !tolerations.some((own) => isSame(own, one))),
  ];
}

/**
 * The template as a pod of that node and revision has it. The scheduler binds it: its required node affinity is that
 * node alone, which the template's own was held against before.
 */
export function daemonPod({ metadata, spec }: PodTemplateSpec, nodeName: string, hash: string): PodTemplateSpec {
  const nodeAffinity = {
    ...spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchFields: [{ key: 'metadata.name' as const, operator: 'In' as const, values: [nodeName] }] },
      ],
    },
  };
  return {
    metadata: { ...metadata, labels: { ...metadata.labels, [REVISION_LABEL]: hash } },
    spec: { ...spec, tolerations: tolerationsOf(spec), affinity: { ...spec.affinity, nodeAffinity } },
  };
}

/** A name is seldom taken, and seldom again. */
const COLLISIONS_LOOKED_AT = 4;

/** The same for a pod that says which revision it is of; undefined where the template would not be of that one. */
export function podOfRevision(
  template: PodTemplateSpec,
  nodeName: string | undefined,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): PodTemplateSpec | undefined {
  const hash = labels[REVISION_LABEL];
  if (nodeName === undefined || hash === undefined) return undefined;
  // Its revision may have had its name before it had a hash of its config, or with one of another key.
  const named = [template, withConfigHash(template, undefined), withConfigHash(template, annotations[CONFIG_HASH])];
  for (const one of named)
    for (let collision = 0; collision < COLLISIONS_LOOKED_AT; collision += 1)
      if (templateHash(one, collision) === hash) return daemonPod(template, nodeName, hash);
  return undefined;
}

/** The node that a pod has, or is meant for; undefined for a pod that is meant for none in particular. */
export function targetNode({ spec: { nodeName, affinity } }: Pod): string | undefined {
  if (nodeName !== undefined) return nodeName;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const [field, ...more] = required?.nodeSelectorTerms.flatMap(({ matchFields = [] }) => matchFields) ?? [];
  return field?.operator === 'In' && more.length === 0 ? field.values[0] : undefined;
}

/** What a DaemonSet wants of a node. */
export type Eligibility =
  /** A pod. */
  | 'run'
  /** No new pod; one that is there stays. */
  | 'stay'
  /** No pod. */
  | 'leave';

/** A node, and the daemon's pods that are on it or meant for it. */
export interface DaemonNode {
  readonly name: string;
  readonly wants: Eligibility | 'gone';
  /** Assigned before unassigned, then the oldest first; without those that ended and are being deleted. */
  readonly pods: readonly StoredPod[];
}

/** What of a node decides on that: the same text, the same answer of every DaemonSet. */
export function daemonTraits(node: Node): Node {
  const { name, labels } = node.metadata;
  const { taints } = node.spec;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...(labels && { labels }) },
    spec: { ...(taints && { taints }) },
    ...(isUnheard(node) && { status: { conditions: [{ type: PODS_KNOWN, status: 'False' as const }] } }),
  };
}

/**
 * A node whose pods are not known since the store was lost gets none: what it has may be told yet. `runtimeClass`: of
 * the template; its node labels and tolerations count, as the pod will have them. Kubernetes leaves them out, and has a
 * pod that stays pending on each other node.
 */
export function eligibility(daemonSet: DaemonSet, node: Node, runtimeClass: RuntimeClass | undefined): Eligibility {
  const template = withRuntimeClass(daemonSet.spec.template, runtimeClass);
  const { name, labels = {} } = node.metadata;
  const { nodeName } = template.spec;
  if (nodeName !== undefined && nodeName !== name) return 'leave';
  if (!nodeRequired(template.spec, name, labels)) return 'leave';
  const tolerations = tolerationsOf(template.spec);
  if (untolerated(node.spec.taints, tolerations, ['NoExecute'])) return 'leave';
  if (untolerated(node.spec.taints, tolerations, ['NoSchedule']) || isUnheard(node)) return 'stay';
  return 'run';
}
