/**
 * Reads of an assignment what a simulated agent acts on. Of a compressed one, the members between the first and the last
 * are what all nodes hold alike: they are known again by their bytes, and decompressed and parsed for the first agent
 * that gets them.
 */
import { gunzipSync } from 'node:zlib';
import {
  ALIKE_KINDS,
  alikeParts,
  CLAIMED_KINDS,
  type AlikeText,
  type AssignmentUpdate,
} from '../../contracts/agent/index.ts';
import { keyOf, parseKey, type KubeObject, type ObjectKey, type Pod } from '../../contracts/objects/index.ts';

/** As zlib begins a member. */
const MEMBER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
/** Shared members that are known again. */
const MOST_MEMBERS = 64;

export interface Moves {
  readonly epoch: number;
  readonly from: string | null;
  readonly to: string;
  readonly pods: readonly Pod[];
  /** NAMESPACE/NAME. */
  readonly removedPods: readonly string[];
  readonly podCIDR: string | undefined;
  readonly hasSlice: boolean;
}

interface Member {
  readonly bytes: Buffer;
  readonly hasSlice: boolean;
}

export class AssignmentReader {
  readonly #shared = new Map<ObjectKey, KubeObject>();
  #lines: string | undefined;
  /** Oldest first. */
  readonly #members: Member[] = [];

  read(body: Buffer, isCompressed: boolean, node: string): Moves {
    if (!isCompressed) return this.#moves(body.toString(), false, node);
    let hasSlice = false;
    const firstEnd = nextMember(body, 0);
    let at = firstEnd;
    // The last one is the node's own.
    for (let member = this.#known(body, at); ; member = this.#known(body, at)) {
      const end = member ? at + member.bytes.length : nextMember(body, at);
      if (end >= body.length) break;
      hasSlice = (member ?? this.#learn(body.subarray(at, end))).hasSlice || hasSlice;
      at = end;
    }
    const [first, last] = [gunzipSync(body.subarray(0, firstEnd)), gunzipSync(body.subarray(at))];
    return this.#moves(`${first.toString()}${last.toString().replace(/^,/, '')}`, hasSlice, node);
  }

  /** The lines of an inventory that are the same for all nodes. */
  sharedLines(): string {
    return (this.#lines ??= [
      { alike: [...this.alike()].map(([part, { digest }]) => [part, digest]) },
      ...[...this.#shared.values()]
        .filter(({ kind }) => CLAIMED_KINDS.some((one) => one === kind) && !ALIKE_KINDS.some((one) => one === kind))
        .map((object) => ({ object })),
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''));
  }

  /** What is behind the digests among them. */
  alike(): ReadonlyMap<number, AlikeText> {
    return alikeParts([...this.#shared.values()]);
  }

  #known(body: Buffer, at: number): Member | undefined {
    return this.#members.find(({ bytes }) => bytes.equals(body.subarray(at, at + bytes.length)));
  }

  #learn(bytes: Buffer): Member {
    const objects = JSON.parse(`[${gunzipSync(bytes).toString().replace(/^,/, '')}]`) as readonly KubeObject[];
    for (const object of objects) this.#shared.set(keyOf(object), object);
    this.#lines = undefined;
    const member = { bytes: Buffer.from(bytes), hasSlice: objects.some(({ kind }) => kind === 'EndpointSlice') };
    this.#members.push(member);
    if (this.#members.length > MOST_MEMBERS) this.#members.shift();
    return member;
  }

  #moves(text: string, sharedHasSlice: boolean, node: string): Moves {
    const { epoch, from, to, upsert, remove } = JSON.parse(text) as AssignmentUpdate;
    const pods: Pod[] = [];
    let podCIDR: string | undefined;
    let hasSlice = sharedHasSlice;
    for (const object of upsert) {
      if (object.kind === 'Pod') {
        pods.push(object);
        continue;
      }
      // Its own form comes last.
      if (object.kind === 'Node' && object.metadata.name === node) podCIDR = object.spec.podCIDR;
      if (object.kind === 'EndpointSlice') hasSlice = true;
      this.#shared.set(keyOf(object), object);
      this.#lines = undefined;
    }
    const removedPods: string[] = [];
    for (const key of remove) {
      const { kind, namespace, name } = parseKey(key);
      if (kind === 'Pod') removedPods.push(`${namespace}/${name}`);
      else if (this.#shared.delete(key)) this.#lines = undefined;
    }
    return { epoch, from, to, pods, removedPods, podCIDR, hasSlice };
  }
}

function nextMember(body: Buffer, at: number): number {
  const next = body.indexOf(MEMBER, at + MEMBER.length);
  return next < 0 ? body.length : next;
}
