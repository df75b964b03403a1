/**
 * `GET /v1/usage`: what the node and its containers took so far of cpu, and take of memory; measured when it is asked
 * for. Counters, not rates: two answers make a rate. A node is believed in what is its own, so whose container it is
 * says its pod's uid, and the control plane looks whether that pod is the node's.
 */
import { z } from 'zod';
import { DnsLabel } from '../objects/schema.ts';
import { TEXT_LIMITS, Uid } from './inventory.ts';

/** Nanoseconds of cpu since it started, as a double keeps them: exact for a hundred days of one core. */
const CpuNanoseconds = z.number().min(0).max(Number.MAX_VALUE);
const Bytes = z.int().min(0);
/** Milliseconds on the agent's monotonic clock; what began before the agent has a negative one. */
const Moment = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

/** As many as a node with the most pods has, and ten times more. */
const MOST_CONTAINERS = 4096;
/** Longest answer that is taken, bytes. */
export const USAGE_BYTES = 2 * 1024 * 1024;

export const ContainerCounters = z.object({
  podUid: Uid,
  name: DnsLabel,
  /** Of this run: a container that is started again has another one. */
  id: z.string().min(1).max(TEXT_LIMITS.id),
  startedAt: Moment,
  /** When the counters were read. */
  at: Moment,
  cpuNanoseconds: CpuNanoseconds,
  /** Working set: what the kernel cannot take back under pressure. */
  memoryBytes: Bytes,
});
export type ContainerCounters = z.infer<typeof ContainerCounters>;

export const UsageReport = z.object({
  /** Whose clock it is: times of an agent that was started again are not compared with those before. */
  agentStartedAt: z.string().max(TEXT_LIMITS.id),
  /** Now. */
  at: Moment,
  node: z.object({ at: Moment, cpuNanoseconds: CpuNanoseconds, memoryBytes: Bytes }),
  /** Those that run. */
  containers: z.array(ContainerCounters).max(MOST_CONTAINERS),
});
export type UsageReport = z.infer<typeof UsageReport>;
