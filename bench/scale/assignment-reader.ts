/**
 * Reads of an assignment what a simulated agent acts on. A long one is searched rather than parsed: a whole assignment
 * of a large cluster is mostly other nodes, which are the same for all agents and parsed for one of them now and then.
 */
import { CLAIMED_KINDS, type AssignmentUpdate } from '../../contracts/agent/index.ts';
import { keyOf, parseKey, type KubeObject, type ObjectKey, type Pod } from '../../contracts/objects/index.ts';

/** Parsed whole up to this size. */
const SHORT = 16 * 1024;
/** Longer ones are parsed whole this often, for what all nodes hold. */
const PARSE_EVERY_MS = 2000;

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

export class AssignmentReader {
  readonly #shared = new Map<ObjectKey, KubeObject>();
  #lines: string | undefined;
  #parsedAt = -Infinity;

  read(body: Buffer, node: string): Moves {
    if (body.length <= SHORT) return this.#whole(JSON.parse(body.toString()) as AssignmentUpdate, node);
    const moves = searched(body, node);
    if (performance.now() - this.#parsedAt > PARSE_EVERY_MS) {
      this.#parsedAt = performance.now();
      this.#whole(JSON.parse(body.toString()) as AssignmentUpdate, node);
    }
    return moves;
  }

  /** The lines of an inventory that are the same for all nodes. */
  sharedLines(): string {
    return (this.#lines ??= [...this.#shared.values()]
      .map((object) =>
        CLAIMED_KINDS.some((kind) => kind === object.kind)
          ? `${JSON.stringify({ object })}\n`
          : `${JSON.stringify({ held: [keyOf(object)] })}\n`,
      )
      .join(''));
  }

  #whole({ epoch, from, to, upsert, remove }: AssignmentUpdate, node: string): Moves {
    const pods: Pod[] = [];
    let podCIDR: string | undefined;
    let hasSlice = false;
    for (const object of upsert) {
      if (object.kind === 'Pod') {
        pods.push(object);
        continue;
      }
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

function searched(body: Buffer, node: string): Moves {
  const upsertAt = body.indexOf('"upsert":[');
  const removeAt = body.lastIndexOf('"remove":[');
  const { epoch, from, to, remove } = JSON.parse(
    `${body.toString('utf8', 0, upsertAt)}${body.toString('utf8', removeAt)}`,
  ) as Pick<AssignmentUpdate, 'epoch' | 'from' | 'to' | 'remove'>;
  const own = objectAt(body, body.indexOf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"${node}"`));
  const pods: Pod[] = [];
  const start = '{"apiVersion":"v1","kind":"Pod",';
  for (let at = body.indexOf(start, upsertAt); at >= 0; at = body.indexOf(start, at + 1))
    pods.push(objectAt(body, at) as Pod);
  return {
    epoch,
    from,
    to,
    pods,
    removedPods: remove.flatMap((key) => {
      const { kind, namespace, name } = parseKey(key);
      return kind === 'Pod' ? [`${namespace}/${name}`] : [];
    }),
    podCIDR: own?.kind === 'Node' ? own.spec.podCIDR : undefined,
    hasSlice: body.includes('"kind":"EndpointSlice"', upsertAt),
  };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The object that begins at this byte. */
function objectAt(body: Buffer, at: number): KubeObject | undefined {
  if (at < 0) return undefined;
  let depth = 0;
  let quoted = false;
  for (let end = at; end < body.length; end += 1) {
    const byte = body[end];
    if (quoted) {
      if (byte === BACKSLASH) end += 1;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === OPEN) depth += 1;
    else if (byte === CLOSE) {
      depth -= 1;
      if (depth === 0) return JSON.parse(body.toString('utf8', at, end + 1)) as KubeObject;
    }
  }
  return undefined;
}
