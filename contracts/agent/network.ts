/**
 * What a node tells of its network when it is asked, and what it tries for whoever asks: `GET /v1/network?service=NAMESPACE/NAME` and
 * `POST /v1/network/probes`. Both change nothing on the node.
 */
import { z } from 'zod';
import { TEXT_LIMITS } from './inventory.ts';
import { NETWORK_LIMITS } from './network-limits.ts';

const Address = z.string().max(45);
const PortNumber = z.int().min(1).max(65_535);
const Text = z.string().max(NETWORK_LIMITS.text);

/** New connections to any of `at` go to one of `to`. In force when `networkVersion` is the assignment's. */
const ToldForwarding = z.object({
  /** The port's name, or its number as text. */
  port: Text,
  protocol: z.enum(['TCP', 'UDP', 'SCTP']),
  /** For people: `10.96.0.10:80`, `node port 30080`. */
  at: z.array(Text).max(NETWORK_LIMITS.frontends),
  /** `ADDRESS:PORT`. */
  to: z.array(Text).max(NETWORK_LIMITS.targets),
  more: z.int().min(0),
});
export type ToldForwarding = z.infer<typeof ToldForwarding>;

export const NetworkReport = z.object({
  assignmentVersion: z.string().max(TEXT_LIMITS.id).nullable(),
  /** Assignment version whose rules and routes are in force, and why not the newest. */
  networkVersion: z.string().max(TEXT_LIMITS.id).nullable(),
  networkError: z.string().max(TEXT_LIMITS.message).nullable(),
  /** Whether the node knows the Service. */
  known: z.boolean(),
  forwardings: z.array(ToldForwarding).max(NETWORK_LIMITS.forwardings),
  /** Addresses of load balancers that this machine has. */
  held: z.array(Address).max(NETWORK_LIMITS.held),
});
export type NetworkReport = z.infer<typeof NetworkReport>;

/** Uid of a pod of the node, in whose network it is tried; in the machine's own when absent. */
const Within = z.string().max(TEXT_LIMITS.id).optional();

export const NetworkProbe = z.discriminatedUnion('ask', [
  /** A TCP connection. Nothing is sent. */
  z.object({ ask: z.literal('connect'), address: Address, port: PortNumber, pod: Within }),
  /** The addresses of a name, of the node's own server of the cluster's names. */
  z.object({ ask: z.literal('resolve'), name: z.string().min(1).max(253), pod: Within }),
]);
export type NetworkProbe = z.infer<typeof NetworkProbe>;

/**
 * `answered`: connected, or resolved; `refused`: somebody is there, and says no (a reset, or no such name); `silent`: nobody
 * answered in time; `failed`: it could not be tried, or the network said why not.
 */
export const NetworkProbeResult = z.object({
  outcome: z.enum(['answered', 'refused', 'silent', 'failed']),
  ms: z.number().min(0),
  addresses: z.array(Address).max(NETWORK_LIMITS.addresses).optional(),
  message: Text.optional(),
});
export type NetworkProbeResult = z.infer<typeof NetworkProbeResult>;
/** One for each probe, in order. */
export const NetworkProbeResults = z.object({ results: z.array(NetworkProbeResult).max(NETWORK_LIMITS.probes) });
export type NetworkProbeResults = z.infer<typeof NetworkProbeResults>;
