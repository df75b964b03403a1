/** Where the newest samples of use are: what the control planes that share a store know together. */
import type { NodeSample } from '../core/metrics/shapes.ts';

/**
 * Cpu and memory of nodes and their pods, the newest sample of each node. Nothing depends on it but numbers of
 * replicas: what is lost is measured again. All throw RetryableError `StoreUnavailable` when the store does not answer.
 *
 * Who needs samples of pods: add their nodes to `wanted` of the `Sampler` (controllers/metrics), and read them here by
 * `of(nodes)`, `pods.get(uid)`. A pod that is missing has no sample (yet): it just started, its node is not heard, or
 * nobody wanted it before. Two looks, 15 s apart, come before the first sample.
 */
export interface MetricsStore {
  /** Replaces the node's sample; it goes away by itself after `ttlMs`. */
  put(node: string, sample: NodeSample, ttlMs: number, signal: AbortSignal): Promise<void>;
  /** Those of the nodes that have one. */
  of(nodes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, NodeSample>>;
  close(): Promise<void>;
}
