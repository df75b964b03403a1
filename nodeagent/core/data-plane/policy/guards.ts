/**
 * What is guarded on this node, kept up to date by keys: a change costs what it touches, and not all policies or pods.
 */
import { canonicalAddress, cidrHas, isOfFamily, type Family } from '../../../../contracts/ip.ts';
import { isKeyOf, objectKey, parseKey, type ObjectKey } from '../../../../contracts/objects/key.ts';
import type { NetworkPolicy, PeerMember, Pod } from '../../../../contracts/objects/index.ts';
import { selectorMatches } from '../../../../contracts/objects/label-match.ts';
import {
  namespaceLabels,
  PEER_GROUP_LABEL,
  portsNamed,
  type PeerGroup,
} from '../../../../contracts/objects/policy-peers.ts';
import { DEFAULT_NAMESPACE } from '../../../../contracts/objects/well-known.ts';
import type { AssignmentView } from '../../assignment.ts';
import { addressOf, type LocalPods } from '../../local-pods.ts';
import { sameData } from '../equality.ts';
import { DNS_NAMESPACE, dnsMember } from './dns-peer.ts';
import { isProxyIn, otherProxyAddresses, PROXY_NAMESPACES } from './proxy-peer.ts';
import { guardOf, selects, type Addresses, type NamedSet } from './guard.ts';
import type { GroupMember, GuardChange, GuardPart, GuardParts } from './plan.ts';

export interface GuardScope {
  /** Whose addresses are guarded; IPv4 when absent. */
  readonly family?: Family;
  readonly view: AssignmentView;
  readonly pods: LocalPods;
  readonly addresses: Addresses;
  /** Pod range of this node: of these addresses it knows itself who has them. */
  readonly localRange: string | undefined;
}

type PodKey = ObjectKey<'Pod'>;
type SliceKey = ObjectKey<'PeerSlice'>;

/** A pod of this node with an address of its own. */
interface OwnPod {
  readonly pod: Pod;
  readonly uid: string;
  readonly address: string;
}

/** A set that guards of this node name. */
interface UsedSet {
  readonly set: NamedSet;
  /** Pods whose guards name it. */
  readonly by: Set<PodKey>;
  /** Members that are this node's, what answers names, and other nodes' proxies by their addresses. */
  readonly own: Map<PodKey | 'dns' | `proxy ${string}`, GroupMember>;
}

const FRAME = 'frame';

export class Guards {
  readonly #policies = new Map<string, Map<ObjectKey, NetworkPolicy>>();
  readonly #own = new Map<PodKey, OwnPod>();
  readonly #sets = new Map<string, UsedSet>();
  /** Sets that have a group, by the group. */
  readonly #setsOf = new Map<string, Set<UsedSet>>();
  /** Slices by group, of all groups, and the reverse. */
  readonly #slices = new Map<string, Set<SliceKey>>();
  readonly #groupOfSlice = new Map<SliceKey, string>();
  readonly #parts = new Map<string, GuardPart>();
  #proxies: readonly string[] = [];
  #guarded = 0;

  /** All that should be there now. */
  get parts(): GuardParts {
    return this.#parts;
  }

  /** Whether the pod's address is in all that should be there. */
  knows(pod: PodKey, uid: string, address: string): boolean {
    const own = this.#own.get(pod);
    return own?.uid === uid && own.address === address;
  }

  /** Takes the changed objects in; `all` reads the whole view. Answers with the parts that are others now. */
  change(scope: GuardScope, changed: ReadonlySet<ObjectKey> | 'all'): GuardChange {
    const before = changed === 'all' ? new Map(this.#parts) : undefined;
    if (changed === 'all') this.#forget();
    const keys = changed === 'all' ? allKeys(scope.view) : changed;
    const edit = new Edit(this.#parts);
    const pods = new Set<PodKey>();
    const moved = new Set<string>();
    let otherProxies = false;
    if (changed === 'all' || [...keys].some((key) => isKeyOf(key, 'Node', 'Cluster'))) {
      const proxies = otherProxyAddresses(scope.view);
      otherProxies = !sameData(proxies, this.#proxies);
      this.#proxies = proxies;
    }
    for (const key of keys) {
      if (isKeyOf(key, 'Pod')) pods.add(key);
      else if (isKeyOf(key, 'Namespace')) moved.add(parseKey(key).name);
      else if (isKeyOf(key, 'NetworkPolicy')) for (const pod of this.#placePolicy(key, scope.view)) pods.add(pod);
      else if (isKeyOf(key, 'PeerSlice')) this.#placeSlice(key, scope, edit);
    }
    for (const pod of pods) this.#placePod(pod, scope);
    for (const pod of pods) this.#guard(pod, scope, edit);
    const members = [...this.#own.keys(), ...pods].filter(
      (pod) => pods.has(pod) || moved.has(parseKey(pod).namespace ?? ''),
    );
    for (const used of this.#sets.values()) {
      for (const pod of new Set(members)) this.#placeMember(used, pod, scope, edit);
      if (moved.has(DNS_NAMESPACE)) this.#placeDns(used, scope, edit);
      if (otherProxies || [...moved].some((name) => PROXY_NAMESPACES.has(name))) this.#placeProxies(used, scope, edit);
    }
    edit.set(FRAME, this.#guarded > 0 ? { is: 'frame', dns: scope.addresses.dns } : undefined);
    if (!before) return edit.changes;
    return new Map(
      [...new Set([...before.keys(), ...this.#parts.keys()])].map((name) => [name, this.#parts.get(name)]),
    );
  }

  #forget(): void {
    for (const all of [
      this.#policies,
      this.#own,
      this.#sets,
      this.#setsOf,
      this.#slices,
      this.#groupOfSlice,
      this.#parts,
    ])
      all.clear();
    this.#guarded = 0;
  }

  /** Answers with the pods that it may be about, as it was or as it is. */
  #placePolicy(key: ObjectKey<'NetworkPolicy'>, view: AssignmentView): readonly PodKey[] {
    const namespace = parseKey(key).namespace ?? DEFAULT_NAMESPACE;
    const policy = view.get(key);
    const there = this.#policies.get(namespace) ?? new Map<ObjectKey, NetworkPolicy>();
    if (policy) there.set(key, policy);
    else there.delete(key);
    if (there.size > 0) this.#policies.set(namespace, there);
    else this.#policies.delete(namespace);
    return [...this.#own.keys()].filter((pod) => parseKey(pod).namespace === namespace);
  }

  #placeSlice(key: SliceKey, scope: GuardScope, edit: Edit): void {
    const before = this.#groupOfSlice.get(key);
    const now = scope.view.get(key)?.metadata.labels?.[PEER_GROUP_LABEL];
    if (before !== undefined && before !== now) {
      const slices = this.#slices.get(before);
      slices?.delete(key);
      if (slices?.size === 0) this.#slices.delete(before);
      this.#groupOfSlice.delete(key);
      for (const { set } of this.#setsOf.get(before) ?? []) edit.set(membersName(set.name, key), undefined);
    }
    if (now === undefined) return;
    this.#groupOfSlice.set(key, now);
    const slices = this.#slices.get(now) ?? new Set();
    this.#slices.set(now, slices.add(key));
    for (const used of this.#setsOf.get(now) ?? []) tellSlice(used, key, scope, edit);
  }

  #placePod(key: PodKey, { family = 'IPv4', view, pods }: GuardScope): void {
    const pod = view.get(key);
    const uid = pod?.metadata.uid ?? '';
    const local = pods.get(uid);
    const address = local && addressOf(local, family);
    if (pod && pod.spec.hostNetwork !== true && local?.over === false && address !== undefined)
      this.#own.set(key, { pod, uid, address });
    else this.#own.delete(key);
  }

  #guard(key: PodKey, scope: GuardScope, edit: Edit): void {
    const own = this.#own.get(key);
    const namespace = parseKey(key).namespace ?? DEFAULT_NAMESPACE;
    const policies = own
      ? [...(this.#policies.get(namespace)?.values() ?? [])].filter((policy) => selects(policy, own.pod))
      : [];
    const guarded = own && guardOf(own.pod, own.address, policies, scope.addresses);
    const name = podName(key);
    this.#guarded += Number(guarded !== undefined) - Number(this.#parts.has(name));
    edit.set(name, guarded && { is: 'pod', namespace, pod: own.pod.metadata.name, ...guarded.guard });
    this.#use(key, guarded?.sets ?? [], scope, edit);
  }

  #use(key: PodKey, sets: readonly NamedSet[], scope: GuardScope, edit: Edit): void {
    const wanted = new Set(sets.map(({ name }) => name));
    for (const [name, used] of this.#sets) {
      if (wanted.has(name) || !used.by.delete(key) || used.by.size > 0) continue;
      this.#end(used, edit);
    }
    for (const set of sets) {
      const used = this.#sets.get(set.name);
      if (used) used.by.add(key);
      else this.#begin(set, key, scope, edit);
    }
  }

  #begin(set: NamedSet, by: PodKey, scope: GuardScope, edit: Edit): void {
    const used: UsedSet = { set, by: new Set([by]), own: new Map() };
    this.#sets.set(set.name, used);
    for (const pod of this.#own.keys()) this.#placeMember(used, pod, scope, edit);
    this.#placeDns(used, scope, edit);
    this.#placeProxies(used, scope, edit);
    tellOwn(used, edit);
    for (const group of set.of) {
      const sets = this.#setsOf.get(group.name) ?? new Set();
      this.#setsOf.set(group.name, sets.add(used));
      for (const slice of this.#slices.get(group.name) ?? []) tellSlice(used, slice, scope, edit);
    }
  }

  #end(used: UsedSet, edit: Edit): void {
    const { name, of } = used.set;
    this.#sets.delete(name);
    edit.set(groupName(name), undefined);
    for (const group of of) {
      const sets = this.#setsOf.get(group.name);
      sets?.delete(used);
      if (sets?.size === 0) this.#setsOf.delete(group.name);
      for (const slice of this.#slices.get(group.name) ?? []) edit.set(membersName(name, slice), undefined);
    }
  }

  #placeMember(used: UsedSet, key: PodKey, { view }: GuardScope, edit: Edit): void {
    const own = this.#own.get(key);
    note(used, key, own && inAny(used, (group) => ownMember(group, own, view)), edit);
  }

  #placeDns(used: UsedSet, { view, addresses }: GuardScope, edit: Edit): void {
    if (addresses.dns === undefined) return;
    const labels = labelsOf(DNS_NAMESPACE, view);
    note(
      used,
      'dns',
      inAny(used, (group) => dnsMember(group, labels)),
      edit,
    );
  }

  /** Their own node's pods take all that a proxy sends, so of this node's own there is none. */
  #placeProxies(used: UsedSet, { view }: GuardScope, edit: Edit): void {
    const isIn = used.set.of.some((group) => isProxyIn(group, (namespace) => labelsOf(namespace, view)));
    const now = new Map(isIn ? this.#proxies.map((address) => [`proxy ${address}` as const, { address }]) : []);
    const before = [...used.own.keys()].filter((key): key is `proxy ${string}` => key.startsWith('proxy '));
    if (before.length === now.size && before.every((key) => now.has(key))) return;
    for (const key of before) used.own.delete(key);
    for (const [key, member] of now) used.own.set(key, member);
    tellOwn(used, edit);
  }
}

/** What changes, and what it makes of all parts. */
class Edit {
  readonly changes = new Map<string, GuardPart | undefined>();
  readonly #parts: Map<string, GuardPart>;

  constructor(parts: Map<string, GuardPart>) {
    this.#parts = parts;
  }

  set(name: string, part: GuardPart | undefined): void {
    if (sameData(this.#parts.get(name), part)) return;
    if (part) this.#parts.set(name, part);
    else this.#parts.delete(name);
    this.changes.set(name, part);
  }
}

function allKeys(view: AssignmentView): ReadonlySet<ObjectKey> {
  const keys = (['NetworkPolicy', 'PeerSlice', 'Pod'] as const).flatMap((kind) =>
    view.list(kind).map(({ metadata }) => objectKey(kind, metadata.namespace, metadata.name)),
  );
  return new Set(keys);
}

function labelsOf(namespace: string, view: AssignmentView): Readonly<Record<string, string>> | undefined {
  return view.get(objectKey('Namespace', undefined, namespace))?.metadata.labels;
}

/** As the control plane decides it for pods of other nodes (core/policies/members.ts). */
function ownMember({ of, pods, port }: PeerGroup, own: OwnPod, view: AssignmentView): GroupMember | undefined {
  const namespace = own.pod.metadata.namespace ?? DEFAULT_NAMESPACE;
  const isThere =
    'namespace' in of
      ? of.namespace === namespace
      : selectorMatches(of.namespaces, namespaceLabels(namespace, labelsOf(namespace, view)));
  if (!isThere || !selectorMatches(pods, own.pod.metadata.labels)) return undefined;
  const { address } = own;
  if (!port) return { address };
  const ports = portsNamed(own.pod, port);
  return ports.length === 0 ? undefined : { address, ports };
}

/** What it is in any of the groups, with the ports that it has in all of them. */
function inAny({ set }: UsedSet, memberOf: (group: PeerGroup) => GroupMember | undefined): GroupMember | undefined {
  const members = set.of.flatMap((group) => memberOf(group) ?? []);
  const [first] = members;
  if (first?.ports === undefined) return first;
  const ports = [...new Set(members.flatMap((member) => member.ports ?? []))].sort((a, b) => a - b);
  return { ...first, ports };
}

function note(used: UsedSet, key: PodKey | 'dns', member: GroupMember | undefined, edit: Edit): void {
  if (sameData(used.own.get(key), member)) return;
  if (member) used.own.set(key, member);
  else used.own.delete(key);
  tellOwn(used, edit);
}

function tellOwn({ set, own }: UsedSet, edit: Edit): void {
  const members = [...own].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member);
  edit.set(groupName(set.name), { is: 'group', ...kindOfSet(set), members });
}

/** Who has an address of this node's range, only this node knows. */
function tellSlice(
  { set }: UsedSet,
  key: SliceKey,
  { family = 'IPv4', view, localRange }: GuardScope,
  edit: Edit,
): void {
  const told: readonly GroupMember[] = view.get(key)?.members ?? [];
  const members = (family === 'IPv4' ? told : secondAddresses(view.get(key)?.members ?? [])).filter(
    ({ address }) => localRange === undefined || !cidrHas(localRange, address),
  );
  edit.set(membersName(set.name, key), { is: 'members', ...kindOfSet(set), members });
}

function secondAddresses(members: readonly PeerMember[]): readonly GroupMember[] {
  return members.flatMap(({ addressIPv6, ports }) =>
    addressIPv6 === undefined || !isOfFamily('IPv6', addressIPv6)
      ? []
      : [{ address: canonicalAddress(addressIPv6), ...(ports && { ports }) }],
  );
}

/** Groups of one set have ports of one protocol, or none of them has any. */
function kindOfSet({ name, of: [first] }: NamedSet): Pick<Extract<GuardPart, { is: 'group' }>, 'group' | 'protocol'> {
  return { group: name, ...(first?.port && { protocol: first.port.protocol }) };
}

function podName(key: PodKey): string {
  return `guard ${key}`;
}

function groupName(group: string): string {
  return `group ${group}`;
}

function membersName(group: string, slice: SliceKey): string {
  return `group ${group} ${slice}`;
}
