/** What a node claims to hold, read from its lines. See docs/adr/0004 on what is made of it. */
import { z } from 'zod';
import {
  AgentInfo,
  ALIKE_KINDS,
  AlikeDigests,
  Claim,
  CLAIMED_KINDS,
  PodReport,
} from '../../../contracts/agent/index.ts';
import { keyFromOlder, kindOf, objectKey, type ObjectKey } from '../../../contracts/objects/index.ts';
import { RetryableError } from '../../core/errors.ts';
import type { AlikePart } from '../../core/nodes/node-word.ts';

export interface Inventory {
  readonly info: AgentInfo;
  /** Objects whose kind and shape we look at. */
  readonly claims: readonly Claim[];
  /** What all nodes hold alike, where it was asked for and the agent tells it apart from the claims. */
  readonly alike?: readonly AlikePart[];
  /** Keys of everything it holds. */
  readonly keys: readonly ObjectKey[];
  readonly pods: readonly PodReport[];
  /** Claims and reports that could not be read. */
  readonly unread: number;
}

/** Of one line, and of all: a node of a cluster with 5000 Services and 250 pods of its own stays below half of it. */
export const INVENTORY_LIMITS = { line: 1024 * 1024, total: 32 * 1024 * 1024 } as const;
const Named = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
});
const Whole = z.object({
  info: z.unknown(),
  objects: z.array(z.unknown()).catch([]),
  pods: z.array(z.unknown()).catch([]),
});
/** A pod of which only the spec cannot be read. */
const Specless = z.looseObject({ spec: z.object({ nodeName: z.string() }) });
const WithAdded = z.looseObject({ spec: z.looseObject({ ephemeralContainers: z.array(z.unknown()) }) });
/** In the place of a spec that cannot be read: no template is like it. */
const UNREADABLE = [{ name: 'unreadable', image: 'unreadable' }];
/** Claims and keys kept of one node. */
const MOST = 100_000;
const LONGEST_KEY = 600;

/**
 * What many nodes of before tell in the same words, such as each Node, is read once and is one object. Bounded: a line that
 * finds no room is read each time.
 */
export class AlikeLines {
  readonly #read = new Map<string, { readonly key: ObjectKey; readonly claim: Claim }>();
  readonly #mostChars: number;
  #chars = 0;

  constructor(mostChars = 64 * 1024 * 1024) {
    this.#mostChars = mostChars;
  }

  get(line: string): { readonly key: ObjectKey; readonly claim: Claim } | undefined {
    return this.#read.get(line);
  }

  /** Pods are one node's own. */
  put(line: string, key: ObjectKey, claim: Claim): void {
    if (claim.kind === 'Pod' || this.#chars + line.length > this.#mostChars) return;
    // Cut out of what came with it, the line would keep all of that.
    this.#read.set(Buffer.from(line).toString(), { key, claim });
    this.#chars += line.length;
  }
}

export class InventoryReader {
  readonly #alike: AlikeLines | undefined;
  readonly #claims: Claim[] = [];
  readonly #keys: ObjectKey[] = [];
  readonly #pods: PodReport[] = [];
  #info: AgentInfo | undefined;
  #digests: ReadonlyMap<number, string> | undefined;
  #unread = 0;
  #ended = false;

  /** `alike`: what other nodes told. */
  constructor(alike?: AlikeLines) {
    this.#alike = alike;
  }

  /** One line. What cannot be read is counted and left out: the rest of the node's word stands. */
  take(text: string): void {
    const known = this.#alike?.get(text);
    if (known) {
      this.#hold(known.key);
      return this.#claim(known.claim);
    }
    try {
      this.#line(JSON.parse(text) as Partial<Record<string, unknown>>, text);
    } catch {
      this.#unread += 1;
    }
  }

  /** The answer of an agent that knows no lines yet: one object with everything. */
  takeWhole(text: string): void {
    let read;
    try {
      read = Whole.safeParse(JSON.parse(text));
    } catch (cause) {
      throw new RetryableError('AgentFailed', "the agent's inventory cannot be read", { cause });
    }
    if (!read.success) throw new RetryableError('AgentFailed', "the agent's inventory is none");
    const { info, objects, pods } = read.data;
    this.#line({ info });
    for (const object of objects) this.#line({ object });
    for (const pod of pods) this.#line({ pod });
    this.#ended = true;
  }

  /** RetryableError `AgentFailed` when the answer was cut off or does not say whose it is. */
  finish(): Inventory {
    if (!this.#ended || !this.#info)
      throw new RetryableError('AgentFailed', "the agent's inventory has no end: it is asked again");
    const claims = this.#digests ? this.#claims.filter(({ kind }) => !isAlike(kind)) : this.#claims;
    return { info: this.#info, claims, keys: this.#keys, pods: this.#pods, unread: this.#unread };
  }

  /** Of what all nodes hold alike, by part; undefined of an agent that told the objects. */
  get digests(): ReadonlyMap<number, string> | undefined {
    return this.#digests;
  }

  #line(line: Partial<Record<string, unknown>>, text?: string): void {
    if ('info' in line) {
      const info = AgentInfo.safeParse(line['info']);
      if (info.success) this.#info = info.data;
    } else if ('object' in line) this.#object(line['object'], text);
    else if ('held' in line)
      for (const key of Array.isArray(line['held']) ? (line['held'] as unknown[]) : []) this.#held(key);
    else if ('alike' in line) this.#alikeIs(line['alike']);
    else if ('pod' in line) this.#read(PodReport.safeParse(line['pod']), this.#pods);
    else if ('end' in line) this.#ended = true;
  }

  #alikeIs(told: unknown): void {
    const digests = AlikeDigests.safeParse(told);
    if (digests.success) this.#digests = new Map(digests.data);
    else this.#unread += 1;
  }

  #object(object: unknown, text: string | undefined): void {
    const named = Named.safeParse(object);
    if (!named.success) return this.#held(undefined);
    const { apiVersion, kind, metadata } = named.data;
    const known = kindOf(apiVersion, kind);
    const key = known && objectKey(known, metadata.namespace, metadata.name);
    this.#held(key);
    if (known !== kind || key === undefined) return;
    if (!CLAIMED_KINDS.some((claimed) => claimed === kind)) return;
    const claim = Claim.safeParse(kind === 'Pod' ? asMade(object) : object);
    if (!claim.success && kind === 'Pod' && this.#claims.length < MOST) this.#claims.push(...withoutSpec(object));
    this.#read(claim, this.#claims);
    if (claim.success && text !== undefined && key.length <= LONGEST_KEY) this.#alike?.put(text, key, claim.data);
  }

  /** Agents of before write keys without the group: they are asked before they are replaced. */
  #held(told: unknown): void {
    const key = typeof told === 'string' && told.length <= LONGEST_KEY ? keyFromOlder(told) : undefined;
    if (key !== undefined) this.#hold(key);
    else this.#unread += 1;
  }

  #hold(key: ObjectKey): void {
    if (this.#keys.length < MOST) this.#keys.push(key);
    else this.#unread += 1;
  }

  #claim(claim: Claim): void {
    if (this.#claims.length < MOST) this.#claims.push(claim);
    else this.#unread += 1;
  }

  #read<T>(result: { readonly success: true; readonly data: T } | { readonly success: false }, into: T[]): void {
    if (result.success && into.length < MOST) into.push(result.data);
    else this.#unread += 1;
  }
}

/** A node that names it does not say it in another way as well: it would speak twice. */
function isAlike(kind: Claim['kind']): boolean {
  return ALIKE_KINDS.some((one) => one === kind);
}

/** A pod without what was put into it since: no template has that, and what of it runs runs on. */
function asMade(pod: unknown): unknown {
  const read = WithAdded.safeParse(pod);
  if (!read.success) return pod;
  const { ephemeralContainers: _added, ...spec } = read.data.spec;
  return { ...read.data, spec };
}

/**
 * A pod whose spec is not as this program knows specs (it was made by another version) is nobody's by its template. But it
 * runs, and has its name: no other pod may have that, where names are places.
 */
function withoutSpec(object: unknown): readonly Claim[] {
  const read = Specless.safeParse(object);
  if (!read.success) return [];
  const claim = Claim.safeParse({ ...read.data, spec: { nodeName: read.data.spec.nodeName, containers: UNREADABLE } });
  return claim.success ? [claim.data] : [];
}
