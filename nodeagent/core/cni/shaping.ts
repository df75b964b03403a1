/**
 * How a pod's traffic is held to a rate: what it gets waits in a token bucket on the host's end of its cable, what it sends
 * is led through a device of ours with another, where the pod cannot take it off. Source: tc-tbf(8), tc-mirred(8), and the
 * bandwidth plugin of containernetworking, whose bucket of half a gigabyte ours is not.
 */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { PodBandwidth } from '../../../contracts/objects/pod-bandwidth.ts';

/** As the ptp plugin calls the host's end. */
const CABLE = /^veth([0-9a-f]{8})$/;
/** At once: a hundredth of a second's worth, and no less than the largest packets that a kernel hands on whole. */
const BURST_SECONDS = 0.01;
const LEAST_BURST_BYTES = 65_536;
/** How long a packet may wait before it is dropped. */
const LATENCY = '25ms';

function bucketOn(device: string, bitsPerSecond: number): readonly string[] {
  const burst = Math.max(LEAST_BURST_BYTES, Math.ceil((bitsPerSecond / 8) * BURST_SECONDS));
  const bucket = ['tbf', 'rate', `${bitsPerSecond}bit`, 'burst', `${burst}b`, 'latency', LATENCY];
  return ['tc', 'qdisc', 'replace', 'dev', device, 'root', 'handle', '1:', ...bucket];
}

/** The device that a pod's packets are led through; undefined for a cable that is not the plugin's. */
export function shapingDevice(cable: string): string | undefined {
  const [, id] = CABLE.exec(cable) ?? [];
  return id === undefined ? undefined : `${NODE_NAMES.bandwidthDevice}${id}`;
}

/** The cable that a device of ours is for; undefined for one that is not ours. */
export function shapedCable(device: string): string | undefined {
  const cable = `veth${device.slice(NODE_NAMES.bandwidthDevice.length)}`;
  return shapingDevice(cable) === device ? cable : undefined;
}

/** What is to be run, in this order, each of which may be run again. The device has to be made before. */
export function shapingCommands(cable: string, device: string, rates: PodBandwidth): readonly (readonly string[])[] {
  const { ingress, egress } = rates;
  const all = ['u32', 'match', 'u32', '0', '0', 'action', 'mirred', 'egress', 'redirect', 'dev', device];
  return [
    ...(ingress === undefined ? [] : [bucketOn(cable, ingress)]),
    ...(egress === undefined
      ? []
      : [
          ['ip', 'link', 'set', 'dev', device, 'up'],
          bucketOn(device, egress),
          ['tc', 'qdisc', 'replace', 'dev', cable, 'handle', 'ffff:', 'ingress'],
          [
            'tc',
            'filter',
            'replace',
            'dev',
            cable,
            'parent',
            'ffff:',
            'protocol',
            'all',
            'prio',
            '1',
            'handle',
            '800::1',
            ...all,
          ],
        ]),
  ];
}
