/**
 * What all nodes hold alike and tell in their inventories: the claims of each Source, Node and Service. With
 * `?alike=digests` a node tells them as digests, one for each part of them (`{ alike: [[PART, DIGEST], ...] }` in the place
 * of the objects); a part that nobody told yet is then asked of one node: `GET /v1/inventory/alike?parts=0,5` answers, for
 * each, with the line `{ part }` and the part's lines, and with `end` last. An agent of before knows neither, and tells the
 * objects. The digest is the base64url SHA-256 of the part's lines, each with its line feed: whoever reads them knows that
 * all who named it hold the same. Free of schemas: a node agent uses it.
 */
import { createHash } from 'node:crypto';
import type { KubeObject, Node, Service, Source } from '../objects/index.ts';

export const ALIKE_KINDS = ['Source', 'Node', 'Service'] as const satisfies readonly KubeObject['kind'][];
export type AlikeKind = (typeof ALIKE_KINDS)[number];

/** Parts are counted from 0. What differs between nodes, as while a change goes round, is few of them. */
export const ALIKE_PARTS = 64;

export interface AlikeText {
  readonly digest: string;
  readonly lines: readonly string[];
}

/** Which part the object is in: by its key, so that a node can speak of it in one place alone. */
export function partOf(
  kind: AlikeKind,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name: string },
): number {
  return (
    (createHash('sha256')
      .update(`${kind}/${namespace ?? ''}/${name}`)
      .digest()[0] ?? 0) % ALIKE_PARTS
  );
}

/** The parts that are not empty: equal for nodes that hold the same. Objects of other kinds are left out. */
export function alikeParts(objects: readonly KubeObject[]): ReadonlyMap<number, AlikeText> {
  const parts = new Map<number, string[]>();
  for (const object of objects) {
    const text = alikeLine(object);
    if (text === undefined) continue;
    const part = partOf(object.kind as AlikeKind, object.metadata);
    const lines = parts.get(part);
    if (lines) lines.push(text);
    else parts.set(part, [text]);
  }
  return new Map(
    [...parts]
      .sort(([a], [b]) => a - b)
      .map(([part, lines]) => {
        const digest = new AlikeDigest();
        for (const line of lines.sort()) digest.add(line);
        return [part, { digest: digest.end(), lines }];
      }),
  );
}

/** Of a part, line by line. */
export class AlikeDigest {
  readonly #hash = createHash('sha256');

  add(line: string): void {
    this.#hash.update(line).update('\n');
  }

  /** Once. */
  end(): string {
    return this.#hash.digest('base64url');
  }
}

/** What the schemas of claims (inventory.ts) look at, and nothing of what a node's own form has beyond the others'. */
function alikeLine(object: KubeObject): string | undefined {
  switch (object.kind) {
    case 'Source':
      return sourceLine(object);
    case 'Node':
      return nodeLine(object);
    case 'Service':
      return serviceLine(object);
    default:
      return undefined;
  }
}

function sourceLine({ kind, metadata: { name }, status }: Source): string | undefined {
  const appliedRevision = status?.appliedRevision;
  return appliedRevision === undefined
    ? undefined
    : JSON.stringify({ kind, metadata: { name }, status: { appliedRevision } });
}

function nodeLine({ kind, metadata: { name }, spec: { podCIDR }, status }: Node): string {
  const addresses = status?.addresses?.map(({ type, address }) => ({ type, address }));
  const wireguard = status?.wireguard && { publicKey: status.wireguard.publicKey };
  return JSON.stringify({ kind, metadata: { name }, spec: { podCIDR }, status: addresses && { addresses, wireguard } });
}

function serviceLine({ kind, metadata: { name, namespace }, spec, status }: Service): string {
  const { clusterIP, healthCheckNodePort } = spec;
  const ports = spec.ports.map(({ port, protocol, nodePort }) => ({ port, protocol, nodePort }));
  const ingress = status?.loadBalancer?.ingress?.map(({ ip }) => ({ ip }));
  return JSON.stringify({
    kind,
    metadata: { name, namespace },
    spec: { clusterIP, ports, healthCheckNodePort },
    status: ingress && { loadBalancer: { ingress } },
  });
}
