/** Why a node may not run a pod. Wording as Kubernetes' scheduler plugins have it, so that known messages stay searchable. */
import { labelsInclude, type Pod } from '../../../contracts/objects/index.ts';
import { hostPortsOf, requestsOf } from './resources.ts';
import type { NodeSketch } from './sketch.ts';
import { untolerated } from './taints.ts';

export interface Reason {
  /** Counted over nodes in the pod's message. */
  readonly reason: string;
  /** The same for this node, with its numbers. */
  readonly detail: string;
}

export interface Filter {
  readonly name: string;
  /** Why not, or undefined where the pod fits. Several reasons of one filter are told together. */
  filter(pod: Pod, node: NodeSketch): readonly Reason[] | undefined;
}

const only = (reason: string, detail: string): readonly Reason[] => [{ reason, detail }];
const SHORT: Readonly<Record<string, string>> = { pods: 'Too many pods' };

function shown(resource: string, units: number): string {
  return resource === 'cpu' ? `${units}m` : String(units);
}

const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  filter(pod, { node }) {
    if (node.spec.unschedulable !== true) return undefined;
    const cordon = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;
    return untolerated([cordon], pod.spec.tolerations, ['NoSchedule']) && only('node(s) were unschedulable', 'the node is cordoned');
  },
};

const nodeName: Filter = {
  name: 'NodeName',
  filter: (pod, { name }) => pod.spec.nodeName !== undefined && pod.spec.nodeName !== name
    ? only("node(s) didn't match the requested node name", `the pod asks for node ${pod.spec.nodeName}`) : undefined,
};

const taintToleration: Filter = {
  name: 'TaintToleration',
  filter(pod, { node }) {
    const taint = untolerated(node.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
    return taint && only(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`, `taint ${taint.key}=${taint.value ?? ''}:${taint.effect}`);
  },
};

const nodeReady: Filter = {
  name: 'NodeReady',
  filter: (_pod, { ready }) => ready ? undefined : only('node(s) were not ready', 'its Ready condition is not True'),
};

const nodeSelector: Filter = {
  name: 'NodeAffinity',
  filter(pod, { node }) {
    if (labelsInclude(node.metadata.labels, pod.spec.nodeSelector)) return undefined;
    const missing = Object.entries(pod.spec.nodeSelector ?? {}).filter(([key, value]) => node.metadata.labels?.[key] !== value);
    return only("node(s) didn't match Pod's node affinity/selector", `lacks label ${missing.map(([key, value]) => `${key}=${value}`).join(', ')}`);
  },
};

const nodePorts: Filter = {
  name: 'NodePorts',
  filter(pod, { ports }) {
    const taken = hostPortsOf(pod).filter((port) => ports.has(port));
    return taken.length > 0 ? only("node(s) didn't have free ports for the requested pod ports", `host port ${taken.join(', ')} is taken`) : undefined;
  },
};

const resourcesFit: Filter = {
  name: 'NodeResourcesFit',
  filter(pod, { allocatable, used }) {
    const short: Reason[] = [];
    for (const [resource, wanted] of requestsOf(pod)) {
      const has = allocatable.get(resource) ?? 0;
      const taken = used.get(resource) ?? 0;
      if (wanted === 0 || taken + wanted <= has) continue;
      short.push({
        reason: SHORT[resource] ?? `Insufficient ${resource}`,
        detail: `${resource}: asks for ${shown(resource, wanted)}, ${shown(resource, Math.max(0, has - taken))} of ${shown(resource, has)} is free`,
      });
    }
    return short.length > 0 ? short : undefined;
  },
};

/** In the order of Kubernetes' default profile; a node is told by the first filter that refuses it. */
export const FILTERS: readonly Filter[] = [nodeUnschedulable, nodeName, taintToleration, nodeReady, nodeSelector, nodePorts, resourcesFit];
