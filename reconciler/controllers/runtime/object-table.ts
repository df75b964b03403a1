/**
 * All objects that a process knows, indexed. Reads are synchronous; objects and lists are shared and never changed.
 * Lists are kept in order as objects come, change and go: a read after a change costs a copy at most.
 */
import {
  internalIP,
  internalIPOf,
  keyOf,
  labelsInclude,
  type Event,
  type Kind,
  type KindRegistry,
  type ObjectKey,
  type Stored,
  type StoredAt,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { SOURCE_ANNOTATION } from '../../core/diff/types.ts';
import { regardingTerm } from '../../core/events/backlog.ts';
import { definedKinds } from '../../core/kinds/custom-definitions.ts';
import { claimsOf, type Claim } from '../../core/services/claims.ts';
import { QuotaCounts, type Counted } from '../../core/quota/counts.ts';
import type { StoreView } from './controller.ts';
import { CustomTable } from './custom-table.ts';
import { Ordered } from './ordered.ts';

const PENDING = 'pending';
const NONE: readonly never[] = [];

export class ObjectTable implements StoreView {
  readonly custom: CustomTable;
  readonly #objects = new Map<ObjectKey, Stored>();
  /** Objects that carry a term: a kind, a namespace, a label, an owner's uid, a node's name, a source. */
  readonly #terms = new Map<string, Ordered<Stored>>();

  readonly #quotas = new QuotaCounts((kind, namespace) => this.list<Kind>(kind, namespace));

  /** Of these definitions, which are the list as it was last. */
  #defined: { readonly by: readonly StoredOf<'CustomResourceDefinition'>[]; readonly kinds: KindRegistry } | undefined;

  /** `kinds`: instead of those that the definitions among the objects make. */
  constructor(kinds?: KindRegistry) {
    this.custom = new CustomTable(kinds ? () => kinds : () => this.#kinds());
  }

  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined {
    return this.#objects.get(key) as StoredAt<Key> | undefined;
  }

  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    return this.#find<K>(namespace === undefined ? kindTerm(kind) : namespaceTerm(kind, namespace));
  }

  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#find<K>(`owner ${kind} ${ownerUid}`);
  }

  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    const besides = this.#find<K>(`co-owner ${kind} ${ownerUid}`);
    return besides.length === 0 ? this.ownedBy(kind, ownerUid) : [...this.ownedBy(kind, ownerUid), ...besides];
  }

  podsOnNode(nodeName: string): readonly StoredOf<'Pod'>[] {
    return this.#find<'Pod'>(`node ${nodeName}`);
  }

  pendingPods(): readonly StoredOf<'Pod'>[] {
    return this.#find<'Pod'>(PENDING);
  }

  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[] {
    const found = this.#find<K>(labelTerm(kind, key, value));
    return namespace === undefined || found.every((object) => object.metadata.namespace === namespace)
      ? found
      : found.filter((object) => object.metadata.namespace === namespace);
  }

  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[] {
    return this.#find<K>(sourceTerm(kind, sourceName));
  }

  selecting<K extends Kind>(kind: K, { metadata }: StoredOf<'Pod'>): readonly StoredOf<K>[] {
    const { namespace, labels = {} } = metadata;
    const found: readonly Stored[] = Object.entries(labels)
      .flatMap((label) => this.#find<'Service'>(selectorTerm(kind, namespace, label)))
      .filter(({ spec }) => labelsInclude(labels, spec.selector ?? {}));
    return found as readonly StoredOf<K>[];
  }

  pointingAt<K extends Kind>(kind: K, podUid: string): readonly StoredOf<K>[] {
    return this.#find<K>(endpointTerm(kind, podUid));
  }

  claiming<K extends Kind>(kind: K, claim: Claim): readonly StoredOf<K>[] {
    return this.#find<K>(claimTerm(kind, claim));
  }

  /** Nodes that have this address, and Machines whose manifest has it. */
  withAddress(address: string): readonly StoredOf<'Node' | 'Machine'>[] {
    return this.#find<'Node' | 'Machine'>(`address ${address}`);
  }

  /** Events of one object, by its kind, namespace, name and uid as `involvedObject` has them. */
  eventsRegarding(object: Event['involvedObject']): readonly StoredOf<'Event'>[] {
    return this.#find<'Event'>(regardingTerm(object));
  }

  quotaCount(quota: StoredOf<'ResourceQuota'>): Counted {
    return this.#quotas.of(quota);
  }

  #kinds(): KindRegistry {
    const by = this.list('CustomResourceDefinition');
    if (this.#defined?.by !== by) this.#defined = { by, ...definedKinds(by) };
    return this.#defined.kinds;
  }

  /** Every key, in no order. */
  keys(): ObjectKey[] {
    return [...this.#objects.keys()];
  }

  put(object: Stored): Stored | undefined {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    const terms = new Set(termsOf(object));
    if (previous) for (const term of termsOf(previous)) if (!terms.has(term)) this.#drop(term, key);
    for (const term of terms) {
      let found = this.#terms.get(term);
      if (!found) this.#terms.set(term, (found = new Ordered()));
      found.put(key, object);
    }
    this.#quotas.changed(previous, object);
    return previous;
  }

  remove(key: ObjectKey): Stored | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    this.#objects.delete(key);
    for (const term of termsOf(previous)) this.#drop(term, key);
    this.#quotas.changed(previous, undefined);
    return previous;
  }

  #drop(term: string, key: string): void {
    const found = this.#terms.get(term);
    found?.delete(key);
    if (found?.size === 0) this.#terms.delete(term);
  }

  #find<K extends Kind>(term: string): readonly StoredOf<K>[] {
    return (this.#terms.get(term)?.values() ?? NONE) as readonly StoredOf<K>[];
  }
}

function kindTerm(kind: Kind): string {
  return `kind ${kind}`;
}

function namespaceTerm(kind: Kind, namespace: string): string {
  return `in ${kind} ${namespace}`;
}

function labelTerm(kind: Kind, key: string, value: string): string {
  return `label ${kind} ${key}=${value}`;
}

function sourceTerm(kind: Kind, sourceName: string): string {
  return `source ${kind} ${sourceName}`;
}

function selectorTerm(kind: Kind, namespace: string | undefined, [key, value]: readonly [string, string]): string {
  return `selector ${kind} ${namespace ?? ''} ${key}=${value}`;
}

function endpointTerm(kind: Kind, podUid: string): string {
  return `endpoint ${kind} ${podUid}`;
}

function claimTerm(kind: Kind, claim: Claim): string {
  return `claim ${kind} ${claim}`;
}

function termsOf(object: Stored): string[] {
  const { metadata, kind } = object;
  const terms = [kindTerm(kind)];
  if (metadata.namespace !== undefined) terms.push(namespaceTerm(kind, metadata.namespace));
  for (const [key, value] of Object.entries(metadata.labels ?? {})) terms.push(labelTerm(kind, key, value));
  const source = metadata.annotations?.[SOURCE_ANNOTATION];
  if (source !== undefined) terms.push(sourceTerm(kind, source));
  for (const { uid, controller } of metadata.ownerReferences ?? [])
    terms.push(`${controller === true ? 'owner' : 'co-owner'} ${kind} ${uid}`);
  const addresses = (...some: readonly (string | undefined)[]): void => {
    for (const address of some) if (address !== undefined) terms.push(`address ${address}`);
  };
  if (object.kind === 'Pod') {
    if (object.spec.nodeName !== undefined) terms.push(`node ${object.spec.nodeName}`);
    else if (metadata.deletionTimestamp === undefined) terms.push(PENDING);
  }
  if (object.kind === 'Service') {
    // By one of its labels: what it selects has all of them.
    const [label] = Object.entries(object.spec.selector ?? {});
    if (label) terms.push(selectorTerm(kind, metadata.namespace, label));
    terms.push(...claimsOf(object).map((claim) => claimTerm(kind, claim)));
  }
  if (object.kind === 'EndpointSlice')
    for (const { targetRef } of object.endpoints)
      if (targetRef?.uid !== undefined) terms.push(endpointTerm(kind, targetRef.uid));
  if (object.kind === 'PeerSlice')
    for (const { uid } of object.members) if (uid !== undefined) terms.push(endpointTerm(kind, uid));
  if (object.kind === 'Event') terms.push(regardingTerm(object.involvedObject));
  if (object.kind === 'Node') addresses(internalIP(object), internalIPOf(object, 'IPv6'));
  if (object.kind === 'Machine') addresses(object.spec.internalIP, object.spec.internalIPv6, object.spec.address);
  return terms;
}
