/** The CNI configuration that containerd reads: one routed veth pair per pod, addresses from the node's own range. */
import { canonicalCidr, nthOf } from '../../../contracts/ip.ts';

/** CNI version that containerd 1.4 and newer and the plugins of Debian 11 and newer all speak. */
const CNI_VERSION = '0.4.0';
/** Name of the network: plugins keep what they make for it apart by this. */
export const NETWORK = 'plumbline';

export interface ConflistInput {
  readonly podRange: string;
  /** Of IPv6; absent where the cluster has none. */
  readonly podRangeIPv6?: string | undefined;
  /** Of a pod's interface, bytes. */
  readonly mtu: number;
  /** Where host-local keeps which address is whose; survives a reboot. */
  readonly dataDir: string;
}

/**
 * The file's text. The host's end of every pod's veth pair gets the range's first host address (as a /32, the same on
 * all of them): it is inside this node's range, so a pod anywhere answers to it by the ordinary route to this node, and
 * it is also what hairpin connections come from. The range's own (zeroth) address belongs to the overlay device.
 */
export function renderConflist({ podRange, podRangeIPv6, mtu, dataDir }: ConflistInput): string {
  const ranges = [podRange, ...(podRangeIPv6 === undefined ? [] : [podRangeIPv6])];
  const ptp = {
    type: 'ptp',
    ipMasq: false,
    mtu,
    ipam: {
      type: 'host-local',
      dataDir,
      ranges: ranges.map((range) => [
        { subnet: canonicalCidr(range), rangeStart: nthOf(range, 2), gateway: nthOf(range, 1) },
      ]),
      routes: [{ dst: '0.0.0.0/0' }, ...(podRangeIPv6 === undefined ? [] : [{ dst: '::/0' }])],
    },
  };
  return `${JSON.stringify({ cniVersion: CNI_VERSION, name: NETWORK, plugins: [ptp] }, null, 2)}\n`;
}

/** Whether a configuration has the portmap plugin, as those of earlier versions had once a pod wanted a host port. */
export function mapsPorts(conflist: string | undefined): boolean {
  return conflist?.includes('"type": "portmap"') ?? false;
}

/**
 * From what `iptables-save -t nat` says, the input of `iptables-restore --noflush` that removes the chains which
 * portmap made for our network, and the jumps to them; undefined where there are none. A jump's comment names the
 * network (plugins/meta/portmap: `dnat name: "plumbline" id: "..."`).
 */
export function removalOfPortMappings(saved: string): string | undefined {
  const jumps = saved.split('\n').flatMap((line) => {
    const chain = /^-A CNI-HOSTPORT-DNAT .*dnat name: \\"(\S+)\\" id: .* -j (CNI-DN-\w+)$/.exec(line);
    return chain?.[1] === NETWORK && chain[2] !== undefined
      ? [{ rule: line.replace(/^-A/, '-D'), chain: chain[2] }]
      : [];
  });
  if (jumps.length === 0) return undefined;
  const chains = [...new Set(jumps.map((jump) => jump.chain))];
  return [
    '*nat',
    ...jumps.map((jump) => jump.rule),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n');
}
