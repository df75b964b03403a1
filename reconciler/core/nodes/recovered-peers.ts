/** After a loss: who is in the groups that policies name, before nodes are told anything. */
import {
  keyOf,
  type KubeObject,
  type PeerMember,
  type PeerSlice,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { Paced } from '../paced.ts';
import { PeerGroups } from '../policies/groups.ts';
import { peerMember } from '../policies/members.ts';
import { peerSlices } from '../policies/peer-slices.ts';
import { made, type Filling } from './made-anew.ts';

/** `desired`: policies and namespaces among others. A namespace without a manifest has its name for a label. */
export function* recoverPeers(
  desired: readonly KubeObject[],
  pods: readonly StoredPod[],
  filling: Filling,
): Paced<readonly PeerSlice[]> {
  const policies = desired.flatMap((object) => (object.kind === 'NetworkPolicy' ? [made(object, filling)] : []));
  if (policies.length === 0) return [];
  const labels = new Map(
    desired.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [[metadata.name, metadata.labels] as const] : [])),
  );
  const groups = new PeerGroups(policies.sort(byKey));
  const members = new Map<string, PeerMember[]>();
  for (const pod of pods) {
    yield;
    for (const { group } of groups.ofPod(pod, labels.get(pod.metadata.namespace ?? ''))) {
      const member = peerMember(pod, group);
      const list = members.get(group.name) ?? [];
      if (member) list.push(member);
      if (list.length > 0) members.set(group.name, list);
    }
  }
  return [...members].flatMap(([name, some]) => peerSlices(name, some));
}

function byKey(a: Stored, b: Stored): number {
  const [left, right] = [keyOf(a), keyOf(b)];
  return left < right ? -1 : Number(left > right);
}
