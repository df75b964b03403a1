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

/** Steps in the order to run; empty when everything is as wanted. */
export function diffRouting(wanted: WantedRouting, present: RoutingSnapshot): RoutingStep[] {
  const fresh = wanted.vxlan !== undefined && !(present.vxlan && sameDevice(wanted.vxlan.device, present.vxlan));
  const steps: RoutingStep[] = [];
  if (present.vxlan && (fresh || wanted.vxlan === undefined)) steps.push(ip('link', 'delete', present.vxlan.name));
  const vxlan = fresh || wanted.vxlan === undefined ? undefined : present.vxlan;
  if (wanted.vxlan) steps.push(...deviceSteps(wanted.vxlan.device, vxlan));
  // A device that was just made has the machine's default settings, whatever the one before it had.
  const settings = fresh
    ? Object.fromEntries(Object.entries(present.sysctls).filter(([path]) => !path.includes('/conf/')))
    : present.sysctls;
  steps.push(...sysctlSteps(wanted.sysctls, settings));
  if (wanted.vxlan) steps.push(...peerSteps(wanted.vxlan, vxlan));
  // The kernel removed the routes of a device together with it.
  const removed = vxlan === undefined ? present.vxlan?.name : undefined;
  const kept = removed === undefined ? present.routes : present.routes.filter((r) => r.device !== removed);
  return [...steps, ...routeSteps(wanted.routes, kept)];
}

function ip(...args: string[]): RoutingStep {
  return { tool: 'ip', args };
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
  for (const address of present?.addresses ?? []) {
    if (address !== device.address) steps.push(ip('address', 'delete', `${address}/32`, 'dev', device.name));
  }
  if (!present?.addresses.includes(device.address))
    steps.push(ip('address', 'add', `${device.address}/32`, 'dev', device.name));
  if (!present?.up) steps.push(ip('link', 'set', device.name, 'up'));
  return steps;
}

function sysctlSteps(
  wanted: Readonly<Record<string, string>>,
  present: Readonly<Record<string, string>>,
): RoutingStep[] {
  return Object.entries(wanted).flatMap(([path, value]) =>
    readKey(present, path) === value ? [] : [{ tool: 'sysctl' as const, path, value }],
  );
}

function peerSteps(
  { device, peers }: NonNullable<WantedRouting['vxlan']>,
  present: PresentVxlan | undefined,
): RoutingStep[] {
  const forwarding = new Set(peers.map((p) => `${p.mac} ${p.outer}`));
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
      .filter((n) => !peers.some((p) => p.inner === n.address))
      .map((n) => ip('neighbour', 'delete', n.address, 'lladdr', n.mac, 'dev', device.name)),
    ...peers
      .filter((p) => !hasNeighbour.has(`${p.inner} ${p.mac}`))
      .map((p) => ip('neighbour', 'replace', p.inner, 'lladdr', p.mac, 'dev', device.name, 'nud', 'permanent')),
  ];
}

function routeSteps(wanted: readonly Route[], present: readonly Route[]): RoutingStep[] {
  const destinations = new Set(wanted.map((r) => r.destination));
  const there = new Map(present.map((r) => [r.destination, r]));
  const own = ['proto', String(ROUTE_PROTOCOL), 'metric', String(ROUTE_METRIC)];
  return [
    ...present
      .filter((r) => !destinations.has(r.destination))
      .map((r) => ip('route', 'delete', ...destinationWords(r), ...own)),
    ...wanted
      .filter((r) => !sameRoute(r, there.get(r.destination)))
      .map((r) => ip('route', 'replace', ...routeWords(r), ...own)),
  ];
}

function destinationWords(route: Route): string[] {
  return [...(route.type === 'blackhole' ? ['blackhole'] : []), route.destination];
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
