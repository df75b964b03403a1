/**
 * From the routing that is there to the wanted one: steps that may run twice. Nothing that is not ours is in any step.
 */
import { readKey } from '../../../contracts/objects/own-key.ts';
import {
  ROUTE_METRIC,
  ROUTE_PROTOCOL,
  type PresentVxlan,
  type Route,
  type RoutingSnapshot,
  type RoutingStep,
  type VxlanDevice,
  type WantedRouting,
} from './model.ts';
import { wireGuardSteps } from './wireguard.ts';

const OWN_WORDS = ['proto', String(ROUTE_PROTOCOL), 'metric', String(ROUTE_METRIC)] as const;

/**
 * A router believes no other router unless it is told to (Linux ip-sysctl, accept_ra): where a machine learned its way
 * out so, and only there, it goes on to.
 */
const ROUTER_ADVERTISEMENTS = '/accept_ra';

/** Steps in the order to run; empty when everything is as wanted. */
export function diffRouting(wanted: WantedRouting, present: RoutingSnapshot): RoutingStep[] {
  const fresh = wanted.vxlan !== undefined && !(present.vxlan && sameDevice(wanted.vxlan.device, present.vxlan));
  const steps: RoutingStep[] = [];
  if (present.wireguard && !wanted.wireguard) steps.push(ip('link', 'delete', present.wireguard.name));
  if (present.vxlan && (fresh || wanted.vxlan === undefined)) steps.push(ip('link', 'delete', present.vxlan.name));
  const vxlan = fresh || wanted.vxlan === undefined ? undefined : present.vxlan;
  if (wanted.vxlan) steps.push(...deviceSteps(wanted.vxlan.device, vxlan));
  if (wanted.wireguard) {
    const { device } = wanted.wireguard;
    if (present.wireguard?.mtu !== device.mtu) steps.push(ip('link', 'set', device.name, 'mtu', String(device.mtu)));
    steps.push(...wireGuardSteps(wanted.wireguard, present.wireguard));
    steps.push(...addressSteps(device.name, device.addresses, present.wireguard));
  }
  // A device that was just made has the machine's default settings, whatever the one before it had.
  const settings = fresh
    ? Object.fromEntries(Object.entries(present.sysctls).filter(([path]) => !path.includes('/conf/')))
    : present.sysctls;
  steps.push(...sysctlSteps(wanted.sysctls, settings));
  if (wanted.vxlan) steps.push(...peerSteps(wanted.vxlan, vxlan));
  // The kernel removed the routes of a device together with it.
  const removed = [
    ...(vxlan === undefined && present.vxlan ? [present.vxlan.name] : []),
    ...(present.wireguard && !wanted.wireguard ? [present.wireguard.name] : []),
  ];
  const kept = present.routes.filter(({ device }) => device === undefined || !removed.includes(device));
  return [...steps, ...routeSteps(wanted.routes, kept)];
}

/**
 * What takes from the machine the addresses that it has without a device and that are not wanted: to be run while the
 * packet filter still guards them.
 */
export function releaseSteps(wanted: readonly Route[], present: readonly Route[]): RoutingStep[] {
  const destinations = new Set(wanted.map((r) => r.destination));
  return present.filter((r) => r.type === 'local' && !destinations.has(r.destination)).map(deleteRoute);
}

function ip(...args: string[]): RoutingStep {
  return { tool: 'ip', args };
}

function onlyAddress(address: string): string {
  return address.includes(':') ? `${address}/128` : `${address}/32`;
}

/** What cannot be changed on a VXLAN device that exists. */
function sameDevice(a: VxlanDevice, b: PresentVxlan): boolean {
  return a.name === b.name && a.id === b.id && a.port === b.port && a.local === b.local && !b.learning;
}

function deviceSteps(device: VxlanDevice, present: PresentVxlan | undefined): RoutingStep[] {
  const steps: RoutingStep[] = [];
  if (!present) {
    steps.push(
      ip(
        'link',
        'add',
        device.name,
        'address',
        device.mac,
        'mtu',
        String(device.mtu),
        'type',
        'vxlan',
        'id',
        String(device.id),
        'dstport',
        String(device.port),
        'local',
        device.local,
        'nolearning',
      ),
    );
  }
  if (present && present.mac !== device.mac) steps.push(ip('link', 'set', device.name, 'address', device.mac));
  if (present && present.mtu !== device.mtu) steps.push(ip('link', 'set', device.name, 'mtu', String(device.mtu)));
  const wanted = [device.address, ...(device.addressIPv6 === undefined ? [] : [device.addressIPv6])];
  return [...steps, ...addressSteps(device.name, wanted, present)];
}

/** A device's addresses, and that it is up. */
function addressSteps(
  device: string,
  wanted: readonly string[],
  present: { readonly addresses: readonly string[]; readonly up: boolean } | undefined,
): RoutingStep[] {
  const steps: RoutingStep[] = [];
  for (const address of present?.addresses ?? []) {
    if (!wanted.includes(address)) steps.push(ip('address', 'delete', onlyAddress(address), 'dev', device));
  }
  for (const address of wanted) {
    if (present?.addresses.includes(address)) continue;
    // Nobody else can have it: no time is spent on asking.
    const nodad = address.includes(':') ? ['nodad'] : [];
    steps.push(ip('address', 'add', onlyAddress(address), 'dev', device, ...nodad));
  }
  if (!present?.up) steps.push(ip('link', 'set', device, 'up'));
  return steps;
}

function sysctlSteps(
  wanted: Readonly<Record<string, string>>,
  present: Readonly<Record<string, string>>,
): RoutingStep[] {
  return Object.entries(wanted).flatMap(([path, value]) =>
    readKey(present, path) === value || (path.endsWith(ROUTER_ADVERTISEMENTS) && readKey(present, path) !== '1')
      ? []
      : [{ tool: 'sysctl' as const, path, value }],
  );
}

function peerSteps(
  { device, peers }: NonNullable<WantedRouting['vxlan']>,
  present: PresentVxlan | undefined,
): RoutingStep[] {
  const forwarding = new Set(peers.map((p) => `${p.mac} ${p.outer}`));
  const neighbours = peers.flatMap(({ inner, innerIPv6, mac }) => [
    { address: inner, mac },
    ...(innerIPv6 === undefined ? [] : [{ address: innerIPv6, mac }]),
  ]);
  const hasForwarding = new Set(present?.forwarding.map((f) => `${f.mac} ${f.outer}`));
  const hasNeighbour = new Set(present?.neighbours.map((n) => `${n.address} ${n.mac}`));
  return [
    ...(present?.forwarding ?? [])
      .filter((f) => !forwarding.has(`${f.mac} ${f.outer}`))
      .map((f): RoutingStep => ({
        tool: 'bridge',
        args: ['fdb', 'delete', f.mac, 'dev', device.name, 'dst', f.outer, 'self'],
      })),
    ...peers
      .filter((p) => !hasForwarding.has(`${p.mac} ${p.outer}`))
      .map((p): RoutingStep => ({
        tool: 'bridge',
        args: ['fdb', 'replace', p.mac, 'dev', device.name, 'dst', p.outer, 'self', 'permanent'],
      })),
    ...(present?.neighbours ?? [])
      .filter((n) => !neighbours.some((p) => p.address === n.address))
      .map((n) => ip('neighbour', 'delete', n.address, 'lladdr', n.mac, 'dev', device.name)),
    ...neighbours
      .filter((p) => !hasNeighbour.has(`${p.address} ${p.mac}`))
      .map((p) => ip('neighbour', 'replace', p.address, 'lladdr', p.mac, 'dev', device.name, 'nud', 'permanent')),
  ];
}

function routeSteps(wanted: readonly Route[], present: readonly Route[]): RoutingStep[] {
  const destinations = new Set(wanted.map((r) => r.destination));
  const there = new Map(present.map((r) => [r.destination, r]));
  return [
    ...present.filter((r) => !destinations.has(r.destination)).map(deleteRoute),
    ...wanted
      .filter((r) => !sameRoute(r, there.get(r.destination)))
      .map((r) => ip('route', 'replace', ...routeWords(r), ...OWN_WORDS)),
  ];
}

function deleteRoute(route: Route): RoutingStep {
  return ip('route', 'delete', ...destinationWords(route), ...OWN_WORDS);
}

function destinationWords(route: Route): string[] {
  switch (route.type) {
    case 'unicast':
      return [route.destination];
    case 'blackhole':
      return ['blackhole', route.destination];
    case 'local':
      // The kernel takes an address for the machine's own where this table says so (ip-route(8)).
      return ['local', route.destination, 'table', 'local'];
  }
}

function routeWords(route: Route): string[] {
  return [
    ...destinationWords(route),
    ...(route.via === undefined ? [] : ['via', route.via]),
    ...(route.device === undefined ? [] : ['dev', route.device]),
    ...(route.source === undefined ? [] : ['src', route.source]),
    ...(route.onlink ? ['onlink'] : []),
    ...(route.mtu === undefined ? [] : ['mtu', String(route.mtu)]),
  ];
}

function sameRoute(a: Route, b: Route | undefined): boolean {
  return (
    b !== undefined &&
    a.type === b.type &&
    a.via === b.via &&
    a.device === b.device &&
    Boolean(a.onlink) === Boolean(b.onlink) &&
    a.source === b.source &&
    a.mtu === b.mtu
  );
}
