/**
 * Where pods can have what their claims are, or will be, bound to. Source: kube-scheduler, VolumeBinding and
 * VolumeRestrictions. Stricter than those in one thing: what a claim for one node at a time (ReadWriteOnce) is bound to
 * is not had on a second node while a pod has it on the first, whatever kind of volume it is.
 */
import {
  LOCAL_PROVISIONER,
  parseQuantity,
  readKey,
  type Node,
  type PersistentVolume,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { termMatches } from '../../../contracts/objects/node-selector.ts';
import type { PodShape } from '../scheduling/pod-shape.ts';
import type { Reason } from '../scheduling/reason.ts';
import type { VolumePlacement } from '../scheduling/volume-placement.ts';
import type { Step } from '../step.ts';
import type { StorageClasses } from './class.ts';
import { madeName, mayBeMade, notHeard } from './made-volume.ts';
import { keptVolume, matchingVolume } from './match.ts';
import { claimNames } from './pod-claims.ts';
import { enforcedBytes, imageBytes } from '../../../contracts/objects/local-volumes.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import { shareWork } from '../../../contracts/objects/nfs-volumes.ts';
import { SELECTED_NODE, withAnnotations } from './names.ts';

/** What there is, as it is at the moment. */
export interface VolumesView {
  claim(namespace: string, name: string): StoredPersistentVolumeClaim | undefined;
  volumes(): readonly StoredPersistentVolume[];
  classes(): StorageClasses;
  node(name: string): Node | undefined;
  /** Nodes whose volumes are not known, since they were not heard when the state was rebuilt. */
  unheardNodes(): readonly string[];
  pod(namespace: string, name: string): StoredPod | undefined;
  /** Pods of the namespace that have a node and have not ended. */
  placedPods(namespace: string): readonly StoredPod[];
}

const NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity";
const BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind";
const NO_VOLUME = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';
const UNKNOWN = 'no volume is made while those of a node are not known';
const NO_ROOM = 'node(s) did not have enough free storage';
const UNBOUND = 'pod has unbound immediate PersistentVolumeClaims';
const ONE_POD = 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
const ONE_NODE = 'node(s) had no ReadWriteOnce volume that a pod on another node still has';

/** The place of a claim that is not bound yet, since a pod that uses it was given a node. */
interface Reservation {
  readonly node: string;
  /** Absent where one is made for it. */
  readonly volume: string | undefined;
  /** Of the node's disk that one takes which is made. */
  readonly bytes: number;
  readonly pods: Set<string>;
}

export class ClaimPlacement implements VolumePlacement {
  readonly #view: VolumesView;
  /** By uid of the claim. */
  readonly #reserved = new Map<string, Reservation>();
  /** Pods that were given a node which the view may not show yet, by uid. */
  readonly #assumed = new Map<string, { readonly pod: StoredPod; readonly node: string }>();

  constructor(view: VolumesView) {
    this.#view = view;
  }

  concerns({ claims }: PodShape): boolean {
    return claims.length > 0;
  }

  refusal(shape: PodShape, node: Node): Reason | undefined {
    const chosen: Chosen = { volumes: new Set(), bytes: 0 };
    for (const name of shape.claims) {
      const refusal = this.#refusal(shape.namespace, name, node, chosen);
      if (refusal) return refusal;
    }
    return undefined;
  }

  roomTaken(shape: PodShape, node: Node): number | undefined {
    const chosen: Chosen = { volumes: new Set(), bytes: 0 };
    for (const name of shape.claims) this.#refusal(shape.namespace, name, node, chosen);
    return chosen.free === undefined ? undefined : Math.min(1, chosen.bytes / Math.max(1, chosen.free));
  }

  reserve(pod: StoredPod, nodeName: string): void {
    if (claimNames(pod).length === 0) return;
    this.#assumed.set(pod.metadata.uid, { pod, node: nodeName });
    const node = this.#view.node(nodeName) ?? { metadata: { name: nodeName } };
    const chosen = new Set<string>();
    for (const { key, claim } of this.#unbound(pod)) {
      const before = this.#reserved.get(key);
      if (before) before.pods.add(pod.metadata.uid);
      else {
        const kept = keptVolume(claim, this.#view.volumes());
        const volume = (kept ?? this.#match(key, claim, node, chosen))?.metadata.name;
        if (volume !== undefined) chosen.add(volume);
        const bytes = volume === undefined ? this.#bytesOf(claim) : 0;
        this.#reserved.set(key, { node: nodeName, volume, bytes, pods: new Set([pod.metadata.uid]) });
      }
    }
  }

  release(pod: StoredPod): void {
    this.#assumed.delete(pod.metadata.uid);
    for (const [key, { pods }] of this.#reserved)
      if (pods.delete(pod.metadata.uid) && pods.size === 0) this.#reserved.delete(key);
  }

  /** The claim's controller does the rest, also where this write is lost: it finds the pod on its node. */
  bind(pod: StoredPod, nodeName: string): readonly Step[] {
    return this.#unbound(pod).flatMap(({ claim }): Step[] =>
      readKey(claim.metadata.annotations, SELECTED_NODE) === nodeName
        ? []
        : [{ do: 'update', object: withAnnotations(claim, { [SELECTED_NODE]: nodeName }) }],
    );
  }

  #unbound(pod: StoredPod): readonly { readonly key: string; readonly claim: StoredPersistentVolumeClaim }[] {
    const namespace = pod.metadata.namespace ?? '';
    return claimNames(pod).flatMap((name) => {
      const claim = this.#view.claim(namespace, name);
      return claim && claim.spec.volumeName === undefined ? [{ key: claim.metadata.uid, claim }] : [];
    });
  }

  #refusal(namespace: string, name: string, node: Node, chosen: Chosen): Reason | undefined {
    const claim = this.#view.claim(namespace, name);
    if (!claim) return { reason: `persistentvolumeclaim "${name}" not found`, detail: `claim ${name} is not there` };
    if (claim.metadata.deletionTimestamp !== undefined)
      return { reason: `persistentvolumeclaim "${name}" is being deleted`, detail: `claim ${name} is going` };
    if (claim.status?.phase === 'Lost')
      return {
        reason: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`,
        detail: 'its volume is lost',
      };
    const { volumeName } = claim.spec;
    const key = claim.metadata.uid;
    if (volumeName === undefined) return this.#unboundRefusal(key, claim, node, chosen);
    const volume = this.#view.volumes().find(({ metadata }) => metadata.name === volumeName);
    if (!volume) return { reason: NO_VOLUME, detail: `claim ${name} is bound to ${volumeName}, which is gone` };
    if (!isReachable(volume, node)) return isElsewhere(volume, name);
    this.#reserved.delete(key);
    return this.#inUse(claim, node);
  }

  #unboundRefusal(key: string, claim: StoredPersistentVolumeClaim, node: Node, chosen: Chosen): Reason | undefined {
    const { name } = claim.metadata;
    const kept = keptVolume(claim, this.#view.volumes());
    if (kept && shareWork(kept) === 'make')
      return { reason: UNBOUND, detail: `the folder of claim ${name} is being made` };
    if (kept) return isReachable(kept, node) ? undefined : isElsewhere(kept, name);
    const wanted = this.#view.classes().of(claim);
    if (wanted?.volumeBindingMode !== 'WaitForFirstConsumer')
      return { reason: UNBOUND, detail: `claim ${name} has no volume yet` };
    const promised = this.#reserved.get(key)?.node ?? readKey(claim.metadata.annotations, SELECTED_NODE);
    if (promised !== undefined && promised !== node.metadata.name)
      return { reason: BIND_CONFLICT, detail: `claim ${name} is being bound on node ${promised}` };
    const isMade = mayBeMade(claim, wanted);
    // It may have the volume of this claim: another one would be empty.
    const [unheard] = isMade ? this.#view.unheardNodes() : [];
    if (unheard !== undefined) return { reason: UNKNOWN, detail: notHeard(unheard) };
    const found = this.#match(key, claim, node, chosen.volumes);
    if (found) chosen.volumes.add(found.metadata.name);
    else if (!isMade) return { reason: BIND_CONFLICT, detail: `no free volume that claim ${name} could have is there` };
    else return this.#roomRefusal(key, claim, node, chosen);
    return undefined;
  }

  /** Where the volume would be held to its size, and its room taken at once. Source: KEP-1472. */
  #roomRefusal(
    key: string,
    claim: StoredPersistentVolumeClaim,
    { metadata, status }: Node,
    chosen: Chosen,
  ): Reason | undefined {
    const bytes = this.#bytesOf(claim);
    // A node that does not tell is asked when the volume is made.
    if (bytes === 0 || status?.volumeRoom === undefined) return undefined;
    chosen.bytes += bytes;
    const free = Math.max(0, parseQuantity(status.volumeRoom) - this.#takenOn(metadata.name, key));
    chosen.free = free;
    return chosen.bytes <= free
      ? undefined
      : {
          reason: NO_ROOM,
          detail: `claim ${claim.metadata.name} wants ${claim.spec.resources.requests.storage}, and there is room for ${inMebibytes(free)} more of volumes`,
        };
  }

  /** Of its node's disk that the volume takes which is made for a claim; 0 for one that is not held to its size. */
  #bytesOf(claim: StoredPersistentVolumeClaim): number {
    const wanted = this.#view.classes().of(claim);
    return wanted?.provisioner === LOCAL_PROVISIONER && wanted.parameters?.size === 'enforced'
      ? imageBytes(parseQuantity(claim.spec.resources.requests.storage))
      : 0;
  }

  /** By volumes that are there, made or not, and by claims that were given the node a moment ago, but for one's own. */
  #takenOn(node: string, own: string): number {
    const volumes = this.#view.volumes();
    const made = enforcedOn(volumes).get(node);
    const promised = [...this.#reserved].filter(
      ([key, reservation]) =>
        key !== own && reservation.node === node && reservation.bytes > 0 && made?.names.has(madeName(key)) !== true,
    );
    return promised.reduce((sum, [, { bytes }]) => sum + bytes, made?.bytes ?? 0);
  }

  #match(
    key: string,
    claim: StoredPersistentVolumeClaim,
    node: Pick<Node, 'metadata'>,
    chosen: ReadonlySet<string>,
  ): StoredPersistentVolume | undefined {
    const own = this.#reserved.get(key);
    const others = new Set([...this.#reserved].flatMap(([other, { volume }]) => (other === key ? [] : [volume])));
    return matchingVolume(claim, this.#view.volumes(), {
      reachable: (volume) =>
        own === undefined ? isReachable(volume, node) : own.volume === undefined || own.volume === volume.metadata.name,
      taken: ({ metadata }) => chosen.has(metadata.name) || others.has(metadata.name),
    });
  }

  #inUse({ metadata, spec }: StoredPersistentVolumeClaim, node: Node): Reason | undefined {
    const alone = spec.accessModes.includes('ReadWriteOncePod');
    if (!alone && !isForOneNode(spec.accessModes)) return undefined;
    const users = this.#usersOf(metadata.namespace ?? '', metadata.name);
    const [first] = users;
    if (alone && first)
      return { reason: ONE_POD, detail: `pod ${first.pod} has claim ${metadata.name}, which is for one pod` };
    const elsewhere = users.find((user) => user.node !== node.metadata.name);
    return elsewhere
      ? {
          reason: ONE_NODE,
          detail: `pod ${elsewhere.pod} has claim ${metadata.name} on node ${elsewhere.node}`,
        }
      : undefined;
  }

  #usersOf(namespace: string, claim: string): readonly { readonly pod: string; readonly node: string }[] {
    const shown = this.#view
      .placedPods(namespace)
      .filter((pod) => claimNames(pod).includes(claim))
      .map(({ metadata, spec }) => ({ pod: metadata.name, node: spec.nodeName ?? '' }));
    const assumed = [...this.#assumed].flatMap(([uid, { pod, node }]) => {
      const { name } = pod.metadata;
      const known = this.#view.pod(pod.metadata.namespace ?? '', name);
      // It has its node for everybody to see, or is gone.
      if (known?.metadata.uid !== uid || known.spec.nodeName !== undefined) {
        this.#assumed.delete(uid);
        return [];
      }
      return pod.metadata.namespace === namespace && claimNames(pod).includes(claim) ? [{ pod: name, node }] : [];
    });
    return [...shown, ...assumed];
  }
}

/** What a pod's claims before this one were given on the node that is looked at. */
interface Chosen {
  readonly volumes: Set<string>;
  /** Of the node's disk, for those that are made. */
  bytes: number;
  /** What the node has of it, where some are made and it tells. */
  free?: number;
}

interface Taken {
  bytes: number;
  readonly names: Set<string>;
}
const takenOf = new WeakMap<readonly PersistentVolume[], ReadonlyMap<string, Taken>>();

/** What volumes that are held to their sizes take of their nodes' disks, by node. */
function enforcedOn(volumes: readonly PersistentVolume[]): ReadonlyMap<string, Taken> {
  const known = takenOf.get(volumes);
  if (known) return known;
  const nodes = new Map<string, Taken>();
  for (const volume of volumes) {
    const [bytes, home] = [enforcedBytes(volume), homeOf(volume)];
    if (bytes === undefined || home === undefined) continue;
    const taken = nodes.get(home) ?? { bytes: 0, names: new Set() };
    taken.bytes += imageBytes(bytes);
    taken.names.add(volume.metadata.name);
    nodes.set(home, taken);
  }
  takenOf.set(volumes, nodes);
  return nodes;
}

function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)}Mi`;
}

function isElsewhere(volume: PersistentVolume, claim: string): Reason {
  const home = homeOf(volume);
  const place = home === undefined ? 'elsewhere' : `on node ${home}`;
  return { reason: NODE_CONFLICT, detail: `volume ${volume.metadata.name} of claim ${claim} is ${place}` };
}

/** Whether the volume can be had on the node. Source: Kubernetes, pkg/volume/util CheckNodeAffinity. */
export function isReachable({ spec }: PersistentVolume, { metadata }: Pick<Node, 'metadata'>): boolean {
  const required = spec.nodeAffinity?.required;
  return (
    required === undefined ||
    required.nodeSelectorTerms.some((term) => termMatches(term, metadata.name, metadata.labels ?? {}))
  );
}

/** Whether writers on two nodes are excluded by what the claim asks for. */
function isForOneNode(modes: readonly string[]): boolean {
  return !modes.includes('ReadWriteMany') && !modes.includes('ReadOnlyMany');
}
