/**
 * PeerSlices: the addresses of the pods that NetworkPolicies name as peers. A group is worked out in the passes of the first
 * policy that names it.
 */
import {
  isKeyOf,
  namespaceLabels,
  objectKey,
  PEER_GROUP_LABEL,
  selectorMatches,
  type ObjectKey,
  type PeerGroup,
  type PeerMember,
  type StoredNamespace,
  type StoredNetworkPolicy,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import type { Paced } from '../core/paced.ts';
import { PeerGroups } from '../core/policies/groups.ts';
import { peerMember } from '../core/policies/members.ts';
import { orphanedSliceSteps, peerGroupIn, peerSliceSteps } from '../core/policies/peer-slices.ts';
import { canonicalJson } from '../core/storage/canonical-json.ts';
import type { Decision, Step } from '../core/step.ts';
import { selected } from './owned-keys.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

type PolicyKey = ObjectKey<'NetworkPolicy'>;

/** By the list that they are of, which is another one when a policy changed. */
const known = new WeakMap<readonly StoredNetworkPolicy[], PeerGroups>();

function groupsIn(view: StoreView): PeerGroups {
  const policies = view.list('NetworkPolicy');
  const found = known.get(policies) ?? new PeerGroups(policies);
  known.set(policies, found);
  return found;
}

function* membersOf(group: PeerGroup, view: StoreView): Paced<readonly PeerMember[]> {
  const { of } = group;
  const namespaces =
    'namespace' in of
      ? [of.namespace]
      : view
          .list('Namespace')
          .filter(({ metadata: { name, labels } }) => selectorMatches(of.namespaces, namespaceLabels(name, labels)))
          .map(({ metadata }) => metadata.name);
  const members: PeerMember[] = [];
  for (const namespace of namespaces) {
    for (const pod of selected('Pod', namespace, group.pods, view)) {
      yield;
      const member = selectorMatches(group.pods, pod.metadata.labels) ? peerMember(pod, group) : undefined;
      if (member) members.push(member);
    }
  }
  return members;
}

function* decide(key: ObjectKey, { view }: PassContext): Paced<Decision> {
  if (!isKeyOf(key, 'NetworkPolicy')) return { steps: [] };
  const groups = groupsIn(view);
  const steps: Step[] = [...orphanedSliceSteps(groups.names, view.list('PeerSlice'))];
  for (const { group } of groups.namedBy(key)) {
    const present = view.labelled('PeerSlice', PEER_GROUP_LABEL, group.name);
    steps.push(...peerSliceSteps(group.name, yield* membersOf(group, view), present));
  }
  return { steps };
}

/** Namers of the groups whose slices say of the pod what is not so. Most changes of a pod are nothing to its peers. */
function ofPod(pod: StoredPod, view: StoreView, event: 'put' | 'delete'): readonly PolicyKey[] {
  const groups = groupsIn(view);
  if (groups.isEmpty) return [];
  const { uid, namespace = '' } = pod.metadata;
  const labels = view.get(objectKey('Namespace', undefined, namespace))?.metadata.labels;
  const wanted = new Map(
    event === 'delete'
      ? []
      : groups.ofPod(pod, labels).flatMap(({ group }) => {
          const member = peerMember(pod, group);
          return member ? [[group.name, member] as const] : [];
        }),
  );
  const told = new Map(
    view.pointingAt('PeerSlice', uid).flatMap((slice) => {
      const member = slice.members.find((one) => one.uid === uid);
      return member ? [[peerGroupIn(slice) ?? '', member] as const] : [];
    }),
  );
  return [...new Set([...wanted.keys(), ...told.keys()])].flatMap((name) => {
    const [now, before] = [wanted.get(name), told.get(name)];
    if (now && before && canonicalJson(now) === canonicalJson(before)) return [];
    return groups.named(name)?.namer ?? [];
  });
}

function ofNamespace({ metadata: { name, labels } }: StoredNamespace, view: StoreView): readonly PolicyKey[] {
  return groupsIn(view)
    .ofNamespace(name, labels)
    .map(({ namer }) => namer);
}

export const networkPolicyController: Controller = {
  name: 'networkpolicy-controller',
  kind: 'NetworkPolicy',
  // Its groups are another policy's from now on, or nobody's.
  worksOnGone: true,
  watches: {
    Pod: ofPod,
    Namespace: ofNamespace,
    // The first policy that names a group may be another one now.
    NetworkPolicy: (policy, view) =>
      groupsIn(view)
        .ofPolicy(policy)
        .map(({ namer }) => namer),
  },
  decide,
};
