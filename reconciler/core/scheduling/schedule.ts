/** One batch: pending pods and a snapshot of the nodes in, bindings and reasons out. */
import { labelsInclude, type Node, type StoredPod, type StoredService } from '../../../contracts/objects/index.ts';
import { compareText, controllerOf } from '../workloads/owners.ts';
import { isFinished } from '../workloads/pod-state.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import { FILTERS, type Filter } from './filters.ts';
import { Heap } from './heap.ts';
import { SCORES, type Score } from './scores.ts';
import { openSketch, place, type OpenSketch } from './sketch.ts';

export interface Snapshot {
  readonly nodes: readonly Node[];
  /** Pods that have a node. Finished ones take no room; those being deleted do until they are gone. */
  readonly bound: readonly StoredPod[];
  /** Pods behind one Service are spread over nodes. */
  readonly services: readonly StoredService[];
}

export interface ScheduleOptions {
  /** Decides between nodes that are equally good. */
  readonly seed: string;
  readonly filters?: readonly Filter[];
  readonly scores?: readonly Score[];
}

export interface NodeVerdict {
  readonly node: string;
  /** Name of the filter that refused. */
  readonly filter: string;
  readonly reasons: readonly string[];
  /** With numbers, for people. */
  readonly details: readonly string[];
}

export interface Unschedulable {
  readonly pod: StoredPod;
  /** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.` */
  readonly message: string;
  /** One per node, by name. Shared by pods that are alike. */
  readonly verdicts: readonly NodeVerdict[];
}

export interface Schedule {
  readonly bindings: readonly { readonly pod: StoredPod; readonly node: string }[];
  readonly unschedulable: readonly Unschedulable[];
}

interface Candidate {
  readonly sketch: OpenSketch;
  readonly tie: number;
  score: number;
}

interface PodClass {
  readonly groups: readonly string[];
  readonly sample: StoredPod;
  heap?: Heap<Candidate>;
  /** Set once no node is left: nodes only get fuller during a batch, so it stays true. */
  refusal?: Omit<Unschedulable, 'pod'>;
}

/** Groups of a pod: the Services that select it, else its owner. */
function groupsOf(pod: StoredPod, services: readonly StoredService[]): readonly string[] {
  const behind = services.filter((s) => labelsInclude(pod.metadata.labels, s.spec.selector)).map((s) => `service:${s.metadata.namespace ?? ''}/${s.metadata.name}`);
  if (behind.length > 0) return behind;
  const owner = controllerOf(pod.metadata);
  return owner ? [`owner:${owner.uid}`] : [];
}

function classKey(pod: StoredPod, groups: readonly string[]): string {
  const { nodeName, nodeSelector, tolerations, hostNetwork } = pod.spec;
  const needs = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map((c) => [c.resources.requests, c.ports]);
  return canonicalJson([pod.metadata.namespace, pod.metadata.labels, nodeName, nodeSelector, tolerations, hostNetwork, pod.spec.containers.length, needs, groups]);
}

function byNamespace(services: readonly StoredService[]): ReadonlyMap<string, readonly StoredService[]> {
  const map = new Map<string, StoredService[]>();
  for (const service of services) {
    if (service.spec.selector === undefined || Object.keys(service.spec.selector).length === 0) continue;
    const namespace = service.metadata.namespace ?? '';
    const list = map.get(namespace);
    if (list) list.push(service);
    else map.set(namespace, [service]);
  }
  return map;
}

function refusalOf(pod: StoredPod, sketches: readonly OpenSketch[], filters: readonly Filter[]): Omit<Unschedulable, 'pod'> {
  const verdicts: NodeVerdict[] = [];
  const counts = new Map<string, number>();
  for (const sketch of sketches) {
    for (const filter of filters) {
      const reasons = filter.filter(pod, sketch);
      if (!reasons) continue;
      verdicts.push({ node: sketch.name, filter: filter.name, reasons: reasons.map((r) => r.reason), details: reasons.map((r) => r.detail) });
      for (const { reason } of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
      break;
    }
  }
  if (sketches.length === 0) return { message: 'no nodes available to schedule pods', verdicts };
  const told = [...counts].map(([reason, count]) => `${count} ${reason}`).sort(compareText).join(', ');
  return { message: `0/${sketches.length} nodes are available: ${told}.`, verdicts };
}

/**
 * Binds each pod to the best node that fits, oldest pod first, counting what the batch itself has placed: no node is ever given more
 * than it has. The result does not depend on the order of any input list.
 */
export function schedule(pending: readonly StoredPod[], snapshot: Snapshot, options: ScheduleOptions): Schedule {
  const filters = options.filters ?? FILTERS;
  const scores = options.scores ?? SCORES;
  const sketches = snapshot.nodes.map(openSketch).sort((a, b) => compareText(a.name, b.name));
  const byName = new Map(sketches.map((sketch) => [sketch.name, sketch]));
  const services = byNamespace([...snapshot.services].sort((a, b) => compareText(a.metadata.name, b.metadata.name)));
  const knownGroups = new Map<string, readonly string[]>();
  const groupsFor = (pod: StoredPod): readonly string[] => {
    const alike = `${pod.metadata.namespace ?? ''} ${controllerOf(pod.metadata)?.uid ?? ''} ${JSON.stringify(pod.metadata.labels)}`;
    let groups = knownGroups.get(alike);
    if (!groups) knownGroups.set(alike, (groups = groupsOf(pod, services.get(pod.metadata.namespace ?? '') ?? [])));
    return groups;
  };
  for (const pod of snapshot.bound) {
    const sketch = byName.get(pod.spec.nodeName ?? '');
    if (sketch && !isFinished(pod)) place(sketch, pod, groupsFor(pod));
  }

  const classes = new Map<string, PodClass>();
  const better = (a: Candidate, b: Candidate): boolean => a.score > b.score || (a.score === b.score && (a.tie < b.tie || (a.tie === b.tie && a.sketch.name < b.sketch.name)));
  const rate = ({ sample, groups }: PodClass, sketch: OpenSketch): number => scores.reduce((sum, s) => sum + s.weight * s.score(sample, sketch, groups), 0);
  const fits = (pod: StoredPod, sketch: OpenSketch): boolean => filters.every((filter) => filter.filter(pod, sketch) === undefined);

  /** The best node for a class, left at the top of its heap. */
  function choose(kind: PodClass, seed: string): OpenSketch | undefined {
    kind.heap ??= new Heap(
      sketches.filter((sketch) => fits(kind.sample, sketch)).map((sketch) => ({ sketch, tie: hash32(`${seed} ${sketch.name}`), score: rate(kind, sketch) })), better);
    for (let top = kind.heap.first; top !== undefined; top = kind.heap.first) {
      const score = rate(kind, top.sketch);
      if (score < top.score) {
        top.score = score;
        kind.heap.firstGotWorse();
      } else if (fits(kind.sample, top.sketch)) return top.sketch;
      else kind.heap.pop();
    }
    return undefined;
  }

  const bindings: { pod: StoredPod; node: string }[] = [];
  const unschedulable: Unschedulable[] = [];
  for (const pod of inOrder(pending)) {
    const groups = groupsFor(pod);
    const key = classKey(pod, groups);
    let kind = classes.get(key);
    if (!kind) classes.set(key, (kind = { groups, sample: pod }));
    const sketch = kind.refusal ? undefined : choose(kind, `${options.seed} ${hash32(key)}`);
    if (sketch) {
      place(sketch, pod, groups);
      bindings.push({ pod, node: sketch.name });
    } else {
      kind.refusal ??= refusalOf(pod, sketches, filters);
      unschedulable.push({ pod, ...kind.refusal });
    }
  }
  return { bindings, unschedulable };
}

function inOrder(pending: readonly StoredPod[]): readonly StoredPod[] {
  return pending
    .map((pod) => ({ pod, at: Date.parse(pod.metadata.creationTimestamp), name: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}` }))
    .sort((a, b) => a.at - b.at || compareText(a.name, b.name))
    .map(({ pod }) => pod);
}
