/** All groups that policies name, found by what may be in them. */
import {
  namespaceLabels,
  objectKey,
  peerGroupsOf,
  selectorMatches,
  type ObjectKey,
  type PeerGroup,
  type StoredNetworkPolicy,
  type StoredPod,
} from '../../../contracts/objects/index.ts';

/** A group, and the policy in whose passes it is worked out: the first by key that names it. */
export interface NamedGroup {
  readonly group: PeerGroup;
  readonly namer: ObjectKey<'NetworkPolicy'>;
}

/** Hashing is most of what it costs; policies are shared and never changed. */
const groupsByPolicy = new WeakMap<StoredNetworkPolicy, readonly PeerGroup[]>();

function groupsOf(policy: StoredNetworkPolicy): readonly PeerGroup[] {
  const groups = groupsByPolicy.get(policy) ?? peerGroupsOf(policy);
  groupsByPolicy.set(policy, groups);
  return groups;
}

type Labels = Readonly<Record<string, string>> | undefined;

/** Never changes: other policies are another one. */
export class PeerGroups {
  readonly #byName = new Map<string, NamedGroup>();
  readonly #byNamer = new Map<ObjectKey, NamedGroup[]>();
  /** Of one namespace's pods, by namespace. */
  readonly #within = new Map<string, NamedGroup[]>();
  /** Of pods of several namespaces. */
  readonly #across: NamedGroup[] = [];

  /** `policies` in the order of their keys. */
  constructor(policies: readonly StoredNetworkPolicy[]) {
    for (const policy of policies) {
      const namer = objectKey('NetworkPolicy', policy.metadata.namespace, policy.metadata.name);
      for (const group of groupsOf(policy)) if (!this.#byName.has(group.name)) this.#add({ group, namer });
    }
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#byName.keys());
  }

  named(name: string): NamedGroup | undefined {
    return this.#byName.get(name);
  }

  namedBy(policy: ObjectKey<'NetworkPolicy'>): readonly NamedGroup[] {
    return this.#byNamer.get(policy) ?? [];
  }

  /** Those that the policy names, whether it is one of these or was. */
  ofPolicy(policy: StoredNetworkPolicy): readonly NamedGroup[] {
    return groupsOf(policy).flatMap(({ name }) => this.#byName.get(name) ?? []);
  }

  /** Groups that want pods of this namespace by its labels. */
  ofNamespace(name: string, labels: Labels): readonly NamedGroup[] {
    const all = namespaceLabels(name, labels);
    return this.#across.filter(({ group: { of } }) => 'namespaces' in of && selectorMatches(of.namespaces, all));
  }

  /** Groups whose selectors want the pod. */
  ofPod(pod: StoredPod, labelsOfNamespace: Labels): readonly NamedGroup[] {
    const namespace = pod.metadata.namespace ?? '';
    const { labels } = pod.metadata;
    return [...(this.#within.get(namespace) ?? []), ...this.ofNamespace(namespace, labelsOfNamespace)].filter(
      ({ group }) => selectorMatches(group.pods, labels),
    );
  }

  #add(found: NamedGroup): void {
    const { group, namer } = found;
    this.#byName.set(group.name, found);
    push(this.#byNamer, namer, found);
    if ('namespace' in group.of) push(this.#within, group.of.namespace, found);
    else this.#across.push(found);
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
