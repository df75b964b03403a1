/**
 * Samples in the shapes of `metrics.k8s.io/v1beta1`. Source: Kubernetes, staging/src/k8s.io/metrics
 * pkg/apis/metrics/v1beta1/types.go.
 */
import { z } from 'zod';
import { Quantity } from '../../../contracts/objects/index.ts';

/** `cpu`: cores, as a rate over the window. `memory`: the working set, bytes. */
export const Usage = z.object({ cpu: Quantity, memory: Quantity });
export type Usage = z.infer<typeof Usage>;

/** `timestamp`: the end of the window. `window`: how long it was, as Go writes a duration of seconds (`15.002s`). */
const Measured = { timestamp: z.iso.datetime(), window: z.string().regex(/^\d+(\.\d{1,3})?s$/) };

export const NodeMetrics = z.object({ metadata: z.object({ name: z.string() }), ...Measured, usage: Usage });
export type NodeMetrics = z.infer<typeof NodeMetrics>;

export const PodMetrics = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string() }),
  ...Measured,
  containers: z.array(z.object({ name: z.string(), usage: Usage })),
});
export type PodMetrics = z.infer<typeof PodMetrics>;

/** The newest sample of one node and of what runs there. */
export interface NodeSample {
  /** Undefined while there is no rate of it yet. */
  readonly node: NodeMetrics | undefined;
  /** By uid. A pod of which there is no sample is not there: see {@link sampleOf}. */
  readonly pods: ReadonlyMap<string, PodMetrics>;
}

/** Milliseconds of a {@link PodMetrics.window}. */
export function windowMs(window: string): number {
  return Number.parseFloat(window) * 1000;
}

/** The opposite of {@link windowMs}. */
export function windowOf(ms: number): string {
  return `${Number((ms / 1000).toFixed(3))}s`;
}

/** As Kubernetes writes so many billionths of a core. */
export function cpuQuantity(nanocores: number): Quantity {
  const whole = Math.round(nanocores);
  return whole === 0 ? '0' : `${whole}n`;
}

/** As Kubernetes writes so many bytes, in powers of two where they are whole ones. */
export function memoryQuantity(bytes: number): Quantity {
  return bytes > 0 && bytes % 1024 === 0 ? `${bytes / 1024}Ki` : String(bytes);
}
