/**
 * Which pods a term about other pods means. Source: Kubernetes v1 API reference, PodAffinityTerm and
 * TopologySpreadConstraint.
 */
import {
  readKey,
  selectorMatches,
  type LabelSelector,
  type PodAffinityTerm,
} from '../../../contracts/objects/index.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PodShape } from './pod-shape.ts';

export type Means = (other: PodShape) => boolean;

/**
 * The selector with the pod's own values of some keys: `key in (value)`, or `key notin (value)`. A key that the pod
 * lacks is left out.
 */
export function withLabelKeys(
  selector: LabelSelector,
  of: PodShape,
  matchKeys: readonly string[] = [],
  mismatchKeys: readonly string[] = [],
): LabelSelector {
  const added = (keys: readonly string[], operator: 'In' | 'NotIn'): NonNullable<LabelSelector['matchExpressions']> =>
    keys.flatMap((key) => {
      const value = readKey(of.labels, key);
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  return {
    ...selector,
    matchExpressions: [
      ...(selector.matchExpressions ?? []),
      ...added(matchKeys, 'In'),
      ...added(mismatchKeys, 'NotIn'),
    ],
  };
}

/** The pods that a term of `of` means. Namespace labels are looked up when asked. */
export function meantBy(term: PodAffinityTerm, of: PodShape, cluster: ClusterState): Means {
  if (!term.labelSelector) return () => false;
  const selector = withLabelKeys(term.labelSelector, of, term.matchLabelKeys, term.mismatchLabelKeys);
  const { namespaceSelector, namespaces = [] } = term;
  const inNamespace = (name: string): boolean => {
    if (!namespaceSelector && namespaces.length === 0) return name === of.namespace;
    return (
      namespaces.includes(name) ||
      (namespaceSelector !== undefined &&
        selectorMatches(namespaceSelector, cluster.namespaces.get(name) ?? { 'kubernetes.io/metadata.name': name }))
    );
  };
  return (other) => inNamespace(other.namespace) && selectorMatches(selector, other.labels);
}

/** Asks only once for each shape, as long as that is in use. */
export function remembered<T>(ask: (shape: PodShape) => T): (shape: PodShape) => T {
  const known = new WeakMap<PodShape, { readonly answer: T }>();
  return (shape) => {
    let told = known.get(shape);
    if (!told) known.set(shape, (told = { answer: ask(shape) }));
    return told.answer;
  };
}
