/** What is left of the machine's memory and processes, and what pods hold of them. */
import type { Headroom } from '../core/node/headroom.ts';
import type { MeasuredContainer } from './usage.ts';

export interface HeadroomMeter {
  /** Cheap: asked every few seconds. */
  read(): Promise<Headroom>;
  /** Of all pods at once; see {@link UsageMeter.containers}. */
  containers(signal: AbortSignal): Promise<readonly MeasuredContainer[]>;
  /** Processes and threads of a pod; undefined where the kernel does not count them. */
  processesOf(podUid: string): Promise<number | undefined>;
}
