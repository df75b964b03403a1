/** Situations for tables: a cluster in a few words, and what the scheduler says of a pod in it, node by node. */
import {
  KubeSchedulerConfigurationManifest,
  type Node,
  type Pod,
  type Service,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles, type ConfigurationProblem, type Profile } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler, type Outcome } from '../../../reconciler/core/scheduling/scheduler.ts';
import { pod, TIME } from '../controllers/objects.ts';

export interface Situation {
  readonly nodes: readonly Node[];
  /** Pods that have their node. */
  readonly pods?: readonly Pod[];
  readonly services?: readonly Service[];
  /** Labels by name. */
  readonly namespaces?: Readonly<Record<string, Record<string, string>>>;
  /** What differs from the default profile. */
  readonly profile?: object;
}

/** The object as the store has it, its name as uid. */
export function stored<T extends Pod | Service>(object: T): T & Stored {
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      uid: metadata.uid ?? `${metadata.namespace}/${metadata.name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: TIME,
    },
  } as T & Stored;
}

let count = 0;
/** A pod with labels, under a new name. */
export function podWith(labels: Record<string, string>, spec: object = {}, metadata: object = {}): Pod {
  return pod(`p${++count}`, spec, { labels, ...metadata });
}
/** The same with its node. */
export function placedOn(
  nodeName: string,
  labels: Record<string, string> = {},
  spec: object = {},
  metadata: object = {},
): Pod {
  return podWith(labels, { ...spec, nodeName }, metadata);
}
/** Spec of a pod whose one container asks for resources. */
export function asking(requests: Record<string, string>, more: object = {}): object {
  return { containers: [{ name: 'app', image: 'app:v1', resources: { requests }, ...more }] };
}
/** Metadata of a pod that a controller made. */
export function owned(uid: string): object {
  return { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: uid, uid, controller: true }] };
}

export function profilesOf(
  profiles: readonly object[],
  more: object = {},
  plugins?: Parameters<typeof buildProfiles>[1],
): { readonly profiles: ReadonlyMap<string, Profile>; readonly problems: readonly ConfigurationProblem[] } {
  return buildProfiles(
    KubeSchedulerConfigurationManifest.parse({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      profiles,
      ...more,
    }),
    plugins,
  );
}

export function clusterOf({ nodes, pods = [], services = [], namespaces = {} }: Situation): ClusterState {
  const cluster = new ClusterState();
  for (const [name, labels] of Object.entries(namespaces))
    cluster.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  if (services.length > 0)
    cluster.setServices(
      'default',
      services.map((service) => stored(service)),
    );
  for (const node of nodes) cluster.setNode(node);
  for (const placed of pods) cluster.setPod(stored(placed));
  return cluster;
}

export function schedulerFor(situation: Situation): Scheduler {
  const { profiles, problems } = profilesOf([situation.profile ?? {}]);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return new Scheduler(clusterOf(situation), { profiles, seed: 'test' });
}

export const PASSES = 'passes';

/** What each node says: {@link PASSES}, or `Plugin: reason`. */
export function verdictsOn(scheduler: Scheduler, wanted: Pod): Record<string, string> {
  const says = Object.fromEntries([...scheduler.cluster.nodeNames()].map((name) => [name, PASSES]));
  for (const { node, plugin, reasons } of scheduler.refusal(stored(wanted)).verdicts)
    says[node] = `${plugin}: ${reasons.map(({ reason }) => reason).join('; ')}`;
  return says;
}
export function verdicts(situation: Situation, wanted: Pod): Record<string, string> {
  return verdictsOn(schedulerFor(situation), wanted);
}

/**
 * Scores that one plugin gives to the nodes that pass, 0..100, to two decimals; empty when it does not tell nodes
 * apart.
 */
export function scores(situation: Situation, wanted: Pod, plugin: string): Record<string, number> {
  const ranking = schedulerFor(situation).ranking(stored(wanted), Infinity);
  return Object.fromEntries(
    ranking.flatMap(({ node, plugins }) =>
      plugins.filter((p) => p.plugin === plugin).map(({ score }) => [node, Math.round(score * 100) / 100]),
    ),
  );
}

export function place(scheduler: Scheduler, ...pods: readonly Pod[]): Outcome[] {
  return pods.map((wanted) => scheduler.place(stored(wanted)));
}
/** Names of the nodes that got the pods; undefined where there is none. */
export function placesOf(outcomes: readonly Outcome[]): (string | undefined)[] {
  return outcomes.map((outcome) => (outcome.is === 'placed' ? outcome.node : undefined));
}
