/** A group as the objects by which nodes are told of it. */
import {
  OWN_API_VERSION,
  PEER_GROUP_LABEL,
  objectKey,
  type PeerMember,
  type PeerSlice,
  type StoredPeerSlice,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { compareText } from '../workloads/owners.ts';

/** Of one slice: a pod that comes or goes costs every node one of them. */
const MOST_MEMBERS = 100;

/** Steps from the slices of the group that are there to those that should be. A member stays in the slice that it is in. */
export function peerSliceSteps(
  group: string,
  wanted: readonly PeerMember[],
  present: readonly StoredPeerSlice[],
): readonly Step[] {
  const steps: Step[] = [];
  for (const { name, members, before } of place(group, wanted, present)) {
    if (members.length === 0) {
      if (before) steps.push(removal(before));
    } else if (!before) {
      steps.push({ do: 'create', object: peerSlice(group, name, members) });
    } else if (canonicalJson(members) !== canonicalJson(before.members)) {
      steps.push({ do: 'update', object: { ...before, members } });
    }
  }
  return steps;
}

/** A group's slices where there are none yet. */
export function peerSlices(group: string, wanted: readonly PeerMember[]): readonly PeerSlice[] {
  return place(group, wanted, []).map(({ name, members }) => peerSlice(group, name, members));
}

/** Slices of groups that no policy names any more. */
export function orphanedSliceSteps(named: ReadonlySet<string>, present: readonly StoredPeerSlice[]): readonly Step[] {
  return present.filter((slice) => !named.has(peerGroupIn(slice) ?? '')).map(removal);
}

export function peerGroupIn({ metadata }: PeerSlice): string | undefined {
  return metadata.labels?.[PEER_GROUP_LABEL];
}

interface Placed {
  readonly name: string;
  readonly members: PeerMember[];
  readonly before?: StoredPeerSlice;
}

/** New members fill slices that change anyway, fullest first, then others, then new ones with the next free numbers. */
function place(group: string, wanted: readonly PeerMember[], present: readonly StoredPeerSlice[]): readonly Placed[] {
  const left = new Map(wanted.map((member) => [member.uid ?? member.address, member]));
  const placed: Placed[] = [];
  const changed = new Set<Placed>();
  for (const before of [...present].sort((a, b) => compareText(a.metadata.name, b.metadata.name))) {
    const members: PeerMember[] = [];
    for (const { uid, address } of before.members) {
      const member = left.get(uid ?? address);
      if (member) members.push(member);
      left.delete(uid ?? address);
    }
    const slice = { name: before.metadata.name, members, before };
    placed.push(slice);
    if (members.length < before.members.length) changed.add(slice);
  }
  const rest = [...left.values()].sort((a, b) => compareText(a.address, b.address));
  const byUse = (a: Placed, b: Placed): number =>
    Number(changed.has(b)) - Number(changed.has(a)) || b.members.length - a.members.length;
  for (const slice of placed.toSorted(byUse)) {
    if (rest.length === 0) break;
    slice.members.push(...rest.splice(0, Math.max(0, MOST_MEMBERS - slice.members.length)));
  }
  const used = new Set(placed.map(({ name }) => name));
  for (let number = 0; rest.length > 0; number += 1) {
    const name = `${group}-${number}`;
    if (!used.has(name)) placed.push({ name, members: rest.splice(0, MOST_MEMBERS) });
  }
  return placed;
}

function peerSlice(group: string, name: string, members: readonly PeerMember[]): PeerSlice {
  return {
    apiVersion: OWN_API_VERSION,
    kind: 'PeerSlice',
    metadata: { name, labels: { [PEER_GROUP_LABEL]: group } },
    members,
  };
}

function removal({ metadata: { name, uid } }: StoredPeerSlice): Step {
  return { do: 'delete', key: objectKey('PeerSlice', undefined, name), uid };
}
