/**
 * Pods of a node that told its inventory only after the state was rebuilt. Git is in the store by then: what the store
 * has is what counts.
 */
import {
  isKeyOf,
  keyOf,
  objectKey,
  type KubeObject,
  type ObjectKey,
  type PodTemplateSpec,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { controllerOf, controllerRef, ownerKey } from '../workloads/owners.ts';
import { isActive } from '../workloads/pod-state.ts';
import { podMeta } from '../workloads/template.ts';
import type { KnownNode } from './bounded-report.ts';
import { isPlaceOf, madeFor, mostPods, presentFor, type PodDefaults } from './claimed-template.ts';
import { hasEnded, type NodeWord } from './node-word.ts';
import { asEnding } from './recovered-named.ts';
import { isStaticPod } from '../static-pods/static-pod.ts';
import { recoveredPod, staticPodAgain } from './recovered-pod.ts';

export interface LateInput {
  /** {@link withinPlaces}: pods that are being ended count against no owner. */
  readonly word: NodeWord;
  readonly known: KnownNode;
  /** All of the store that make pods themselves. */
  readonly makers: readonly Stored[];
  readonly defaults: PodDefaults;
  /** Templates that the maker had before its present one, and that are kept. */
  readonly earlier: (maker: Stored) => readonly PodTemplateSpec[];
  readonly podsOf: (maker: Stored) => readonly StoredOf<'Pod'>[];
  readonly has: (key: ObjectKey<'Pod'>) => boolean;
  readonly now: Date;
}

/**
 * To be created: each pod that runs, or has come to its own end, and that an object of the store would make, as long as
 * that object lacks pods, the oldest first. The others are taken from the node by its next assignment; where a name is
 * a place that only one pod may have, it is followed as a pod that ends, so that no second one is made before it has.
 */
export function latePods(input: LateInput): readonly KubeObject[] {
  const { word, makers, podsOf, has, known, now } = input;
  const missing = new Map(makers.map((maker) => [maker, mostPods(maker) - podsOf(maker).filter(isActive).length]));
  const byKey = new Map(makers.map((maker) => [keyOf(maker), maker]));
  const uids = new Set<string>();
  const own = word.claims.filter((claim) => claim.kind === 'Pod').filter(({ spec }) => spec.nodeName === word.node);
  return own
    .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
    .flatMap((claim) => {
      const isTaken =
        has(objectKey('Pod', claim.metadata.namespace, claim.metadata.name)) || uids.has(claim.metadata.uid);
      if (!isTaken && isStaticPod(claim, word.node)) {
        uids.add(claim.metadata.uid);
        return [staticPodAgain({ known: new Map([[word.node, known]]), now }, { word, claim })];
      }
      const owner = ownerOf(claim, byKey, input);
      const ending = claim.metadata.deletionTimestamp !== undefined || owner?.isKnown === false;
      if (
        !owner ||
        // One that ends by itself is a witness of what its owner has done.
        (hasEnded(claim, word) && claim.spec.restartPolicy === 'Always') ||
        isTaken
      )
        return [];
      const left = missing.get(owner.maker) ?? 0;
      if (!ending && left <= 0) return [];
      if (!ending) missing.set(owner.maker, left - 1);
      uids.add(claim.metadata.uid);
      return [
        recoveredPod(
          { known: new Map([[word.node, known]]), now },
          {
            word,
            claim: owner.isKnown ? claim : asEnding(claim, owner.template.spec.terminationGracePeriodSeconds, now),
          },
          owner.template.spec,
          { ...podMeta(owner.template), ownerReferences: [controllerRef(owner.maker)] },
        ),
      ];
    });
}

interface Owner {
  readonly maker: Stored;
  /** As it is in the pod. */
  readonly template: PodTemplateSpec;
  /** False for a pod that the maker would not make like that. */
  readonly isKnown: boolean;
}

/** What the pod names, else, of a ReplicaSet, a sibling of it; if it would make that pod. */
function ownerOf(claim: PodClaim, makers: ReadonlyMap<ObjectKey, Stored>, input: LateInput): Owner | undefined {
  const owner = claim.metadata.ownerReferences?.find(({ controller }) => controller);
  const key = owner && ownerKey(claim.metadata.namespace, owner);
  if (!key) return undefined;
  const named = makers.get(key);
  const made = named && ownerBy(named, claim, input);
  if (made) return made;
  if (named && isPlaceOf(named, claim)) return { maker: named, template: presentFor(named, claim), isKnown: false };
  if (!isKeyOf(key, 'ReplicaSet')) return undefined;
  for (const maker of makers.values()) {
    if (maker.kind !== 'ReplicaSet' || maker.metadata.namespace !== claim.metadata.namespace) continue;
    const deployment = controllerOf(maker.metadata);
    if (!deployment || !owner.name.startsWith(`${deployment.name}-`)) continue;
    const sibling = ownerBy(maker, claim, input);
    if (sibling) return sibling;
  }
  return undefined;
}

function ownerBy(maker: Stored, claim: PodClaim, { defaults, earlier }: LateInput): Owner | undefined {
  const template = madeFor(maker, claim, defaults, earlier(maker));
  return template && { maker, template, isKnown: true };
}
