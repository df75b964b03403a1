/** What an object's own annotations say of its end, ours and those that other tools read. */
import { isCustom, readKey, type AnyObject } from '../../../contracts/objects/index.ts';

/** Ours: `disabled` keeps the object when its manifest goes, `confirm` asks for an acknowledgement first. */
export const PRUNE_ANNOTATION = 'plumbline.dev/prune';

export interface PruneRule {
  /** `kept`: never deleted for want of a manifest. `confirmed`: only where the commit acknowledges it. */
  readonly rule: 'kept' | 'confirmed';
  /** The annotation with its value, or what would be lost. */
  readonly by: string;
  /** No annotation says so. */
  readonly isOfKind?: true;
}

interface Marker {
  readonly annotation: string;
  readonly rule: PruneRule['rule'];
  readonly value: string;
  /** It is one of several, after commas. */
  readonly listed?: true;
}

/**
 * Source: Argo CD, docs/user-guide/sync-options.md; Flux, kustomize-controller's API (`prune: disabled`); Helm,
 * pkg/kube/resource_policy.go.
 */
const MARKERS: readonly Marker[] = [
  { annotation: PRUNE_ANNOTATION, value: 'disabled', rule: 'kept' },
  { annotation: 'kustomize.toolkit.fluxcd.io/prune', value: 'disabled', rule: 'kept' },
  { annotation: 'helm.sh/resource-policy', value: 'keep', rule: 'kept' },
  { annotation: 'argocd.argoproj.io/sync-options', value: 'prune=false', rule: 'kept', listed: true },
  { annotation: 'argocd.argoproj.io/sync-options', value: 'delete=false', rule: 'kept', listed: true },
  { annotation: PRUNE_ANNOTATION, value: 'confirm', rule: 'confirmed' },
  { annotation: 'argocd.argoproj.io/sync-options', value: 'prune=confirm', rule: 'confirmed', listed: true },
  { annotation: 'argocd.argoproj.io/sync-options', value: 'delete=confirm', rule: 'confirmed', listed: true },
];

/**
 * The rule of one object; undefined where it goes with its manifest. Of several annotations the one that keeps it
 * counts. A Namespace and a claim are `confirmed` without one: what they hold goes with them.
 */
export function pruneRule(object: AnyObject): PruneRule | undefined {
  const { annotations } = object.metadata;
  const marker = annotations && MARKERS.find((one) => isSet(one, annotations));
  if (marker) return { rule: marker.rule, by: `${marker.annotation}: ${marker.value}` };
  if (isCustom(object)) return undefined;
  if (object.kind === 'Namespace') return { rule: 'confirmed', by: 'all that is in it would go', isOfKind: true };
  if (object.kind === 'PersistentVolumeClaim')
    return { rule: 'confirmed', by: 'its pods would lose their volume', isOfKind: true };
  return undefined;
}

function isSet({ annotation, value, listed }: Marker, annotations: Readonly<Record<string, string>>): boolean {
  const text = readKey(annotations, annotation) ?? '';
  const words = listed ? text.split(',') : [text];
  return words.some((word) => word.trim().toLowerCase() === value);
}
