/** Names and values that Kubernetes or we fixed. Free of schemas: a node agent uses them. */
import type { ClusterSpec } from './own.ts';

/** Label of an EndpointSlice: the Service it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** What a Cluster that says nothing of its network comes to; equal to the schema's defaults. */
export const DEFAULT_NETWORK: ClusterSpec['network'] = {
  podCIDR: '10.244.0.0/16', nodeMaskSize: 24, serviceCIDR: '10.96.0.0/16', nodePortRange: '30000-32767', overlay: 'auto', vxlan: { id: 7846, port: 8472 },
};
