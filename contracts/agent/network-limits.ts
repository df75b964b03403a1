/** Bounds of what network.ts describes. Imports nothing, so that a node agent pays nothing for it. */
export const NETWORK_LIMITS = {
  /** Targets of one forwarding that are told, of how many there are. */
  targets: 20,
  frontends: 100,
  forwardings: 200,
  /** Addresses of load balancers. */
  held: 1000,
  /** Of one request. */
  probes: 256,
  /** Of one request: pods in whose network something is tried. */
  pods: 4,
  /** That a name resolves to. */
  addresses: 100,
  /** Characters. */
  text: 300,
  /** Of an answer. */
  bytes: 1024 * 1024,
} as const;
