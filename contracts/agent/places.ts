/** Names that both sides of the agent protocol agree on. Imports nothing, so that a node agent pays nothing for it. */
export const AGENT_API = '/v1';

/** Places on a node. Everything Plumbline puts on a node is at one of these, or is named `plumbline*`. */
export const NODE_PATHS = {
  /** Runtime and agent bundles, by content hash. */
  install: '/opt/plumbline',
  /**
   * Assignment, CNI state, the node's WireGuard key in `wireguard`, and the operator's seccomp profiles in `seccomp`.
   * Survives a reboot.
   */
  state: '/var/lib/plumbline',
  /** Data that outlives pods: a folder a volume. Nothing but the end of a volume removes one. */
  volumes: '/var/lib/plumbline/volumes',
  /** Socket and Secrets, the proxy's configuration in `proxy` and BIRD's in `bgp`; memory-backed. */
  run: '/run/plumbline',
  socket: '/run/plumbline/agent.sock',
  /** Files with pods that the machine's administrator wants on it. Made and written by nobody else. */
  staticPods: '/var/lib/plumbline/static-pods',
  cniConfig: '/etc/cni/net.d/10-plumbline.conflist',
  podLogs: '/var/log/plumbline/pods',
  unit: '/etc/systemd/system/plumbline-agent.service',
  initScript: '/etc/init.d/plumbline-agent',
} as const;

/** The nftables table, iptables' chains, the routing table of IPVS, the devices between nodes, those of pods, and the cgroup that are ours on a node. */
export const NODE_NAMES = {
  nftTable: 'plumbline',
  /** Names of our chains in iptables' table `nat` begin so. */
  iptablesPrefix: 'PLUMB-',
  /** Number of the routing table that has the addresses of our virtual servers, and priority of the rule that leads there. */
  ipvsTable: '7846',
  vxlanDevice: 'plumb-vxlan',
  wireguardDevice: 'plumb-wg',
  /** With eight hexadecimal digits behind it: what the packets of a pod with a limit are led through. */
  bandwidthDevice: 'plumb-b',
  cgroup: '/plumbline',
} as const;

/** Where a node's pods ask for names: an address that each machine has for itself alone, as Kubernetes' NodeLocal DNSCache has it. */
export const CLUSTER_DNS = { address: '169.254.20.10', port: 53 } as const;

/** What is taken of the folder of static pods: so many files, with so many bytes together. */
export const STATIC_POD_LIMITS = { files: 16, bytes: 128 * 1024 } as const;

/** Beat of the status stream. */
export const HEARTBEAT_SECONDS = 5;

export const EXEC_UPGRADE = 'plumb-exec';
export const EXEC_CHANNEL = { stdin: 0, stdout: 1, stderr: 2, result: 3, resize: 4 } as const;
