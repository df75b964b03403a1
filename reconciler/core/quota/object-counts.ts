/**
 * What a ResourceQuota counts: objects that Git writes. Source of the names: Kubernetes, "Resource Quotas", object count
 * quota; of what counts as a node port, pkg/quota/v1/evaluator/core/services.go.
 */
import {
  ALL_KINDS,
  type Kind,
  type KubeObject,
  type ResourceList,
  type StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import { DESCRIPTORS } from '../kinds/index.ts';
import type { Decision } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

interface Counter {
  readonly kind: Kind;
  /** How much of the resource one object is. */
  amount(object: KubeObject): number;
}

/** Kinds whose objects come from Git alone: what controllers make of them, they would make again and again. */
const COUNTED = ALL_KINDS.filter((kind) => {
  const { manifest, namespaced } = DESCRIPTORS[kind].identity;
  return manifest !== undefined && namespaced && !ALL_KINDS.some((owner) => DESCRIPTORS[owner].owns.includes(kind));
});
/** Names from before `count/` was there. */
const SHORT: readonly Kind[] = ['ConfigMap', 'ResourceQuota', 'Secret', 'Service'];
const one = (): number => 1;

const COUNTERS: ReadonlyMap<string, Counter> = new Map<string, Counter>([
  ...COUNTED.map((kind): [string, Counter] => [`count/${DESCRIPTORS[kind].identity.resource}`, { kind, amount: one }]),
  ...SHORT.map((kind): [string, Counter] => [DESCRIPTORS[kind].identity.resource, { kind, amount: one }]),
  [
    'services.nodeports',
    {
      kind: 'Service',
      amount: (service) =>
        service.kind === 'Service' && service.spec.type === 'NodePort' ? service.spec.ports.length : 0,
    },
  ],
]);

/** Names of what can be limited, sorted. */
export const LIMITABLE: readonly string[] = [...COUNTERS.keys()].sort();
/** Kinds that are counted. */
export const COUNTED_KINDS: readonly Kind[] = COUNTED;

/** How much of a resource these objects are; undefined for one that is not counted. */
export function amountOf(resource: string, list: (kind: Kind) => readonly KubeObject[]): number | undefined {
  const counter = COUNTERS.get(resource);
  return counter && list(counter.kind).reduce((sum, object) => sum + counter.amount(object), 0);
}

/** Counts anew. `list`: live objects of the quota's namespace. */
export function planQuota(quota: StoredResourceQuota, list: (kind: Kind) => readonly KubeObject[]): Decision {
  const { hard } = quota.spec;
  const used: ResourceList = Object.fromEntries(
    Object.keys(hard).map((resource) => [resource, String(amountOf(resource, list) ?? 0)]),
  );
  const status = { hard, used };
  if (canonicalJson(status) === canonicalJson(quota.status)) return { steps: [] };
  return { steps: [{ do: 'updateStatus', object: { ...quota, status } }] };
}
