/** Tries what others ask for, some at a time. */
import type { NetworkProbe, NetworkProbeResult } from '../../contracts/agent/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { Reach } from '../ports/reach.ts';
import { createLimiter } from './limiter.ts';

/** Milliseconds of one probe: a packet that is sent again after a second is waited for. */
const PROBE_MS = 2500;
/** Of all who ask. */
const AT_ONCE = 32;

/** One result for each, in order. */
export type Probing = (probes: readonly NetworkProbe[], signal: AbortSignal) => Promise<readonly NetworkProbeResult[]>;

export function createProbing(reach: Reach, clock: Clock): Probing {
  const limiter = createLimiter(AT_ONCE);
  const tried = async (probe: NetworkProbe, signal: AbortSignal): Promise<NetworkProbeResult> => {
    const since = clock.monotonic();
    using time = clock.deadline(PROBE_MS, signal);
    const found =
      probe.ask === 'resolve' ? await reach.resolve(probe.name, time.signal) : await reach.connect(probe, time.signal);
    return { ...found, ms: Math.max(0, clock.monotonic() - since) };
  };
  return (probes, signal) => Promise.all(probes.map((probe) => limiter.run(() => tried(probe, signal))));
}
