/** What the cluster tells those that wait for a place. */
import type { PodShape } from './pod-shape.ts';

/** What happened in the cluster, as far as it could help a pod that found no node. */
export type ClusterEvent =
  | { readonly type: 'NodeAdd'; readonly node: number }
  | { readonly type: 'NodeUpdate'; readonly node: number }
  /** A pod got a place. */
  | { readonly type: 'PodAdd'; readonly shape: PodShape; readonly node: number }
  /** A pod left: it was deleted, or ended. `leaving`: it only began to terminate, and has its room still. */
  | { readonly type: 'PodDelete'; readonly shape: PodShape; readonly node: number; readonly leaving?: true }
  /** Anything else that plugins look at. Of nodes, that one went, and its pods with it; of the others, any change. */
  | {
      readonly type: 'Other';
      readonly kind: 'Node' | 'Service' | 'Namespace' | 'PodDisruptionBudget' | 'PodGroup' | 'Volume';
    };
