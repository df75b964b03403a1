/** The CNI configuration that containerd reads: one routed veth pair per pod, addresses from the node's own range. */
import { canonicalRange, nthAddress } from '../routes/ipv4.ts';
import type { Pod } from '../../../contracts/objects/index.ts';

/** CNI version that containerd 1.4 and newer and the plugins of Debian 11 and newer all speak. */
const CNI_VERSION = '0.4.0';

export interface ConflistInput {
  readonly podRange: string;
  /** Of a pod's interface, bytes. */
  readonly mtu: number;
  /** Where host-local keeps which address is whose; survives a reboot. */
  readonly dataDir: string;
  /** Adds the portmap plugin, for containers with a hostPort. */
  readonly mapPorts: boolean;
}

/**
 * The file's text. The host's end of every pod's veth pair gets the range's first host address (as a /32, the same on all of them): it
 * is inside this node's range, so a pod anywhere answers to it by the ordinary route to this node, and it is also what hairpin
 * connections come from. The range's own (zeroth) address belongs to the overlay device.
 */
export function renderConflist({ podRange, mtu, dataDir, mapPorts }: ConflistInput): string {
  const ptp = {
    type: 'ptp',
    ipMasq: false,
    mtu,
    ipam: {
      type: 'host-local',
      dataDir,
      ranges: [[{ subnet: canonicalRange(podRange), rangeStart: nthAddress(podRange, 2), gateway: nthAddress(podRange, 1) }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  return `${JSON.stringify({ cniVersion: CNI_VERSION, name: 'plumbline', plugins: mapPorts ? [ptp, portmap] : [ptp] }, null, 2)}\n`;
}

/** Whether a configuration has the portmap plugin: it stays until the file goes, as a pod's removal runs the plugins of its making. */
export function mapsPorts(conflist: string | undefined): boolean {
  return conflist?.includes('"type": "portmap"') ?? false;
}

/** Pods that ask for a port of the machine; those in the machine's own network have it without help. */
export function wantsHostPort(pod: Pod): boolean {
  return pod.spec.hostNetwork !== true && pod.spec.containers.some((c) => (c.ports ?? []).some((p) => p.hostPort !== undefined));
}
