/** Free of schemas: a node agent uses it. */
import type { ClusterSpec } from './own.ts';

/** What a Cluster that says nothing of its network comes to; equal to the schema's defaults. */
export const DEFAULT_NETWORK: ClusterSpec['network'] = {
  podCIDR: '10.244.0.0/16',
  nodeMaskSize: 24,
  serviceCIDR: '10.96.0.0/16',
  nodePortRange: '30000-32767',
  overlay: 'auto',
  packetFilter: 'nftables',
  ipvs: { scheduler: 'rr' },
  vxlan: { id: 7846, port: 8472 },
  wireguard: { port: 51820, keepaliveSeconds: 0 },
};
