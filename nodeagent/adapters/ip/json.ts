/** Parses iproute2's JSON once, at the boundary. Fields that we do not use are ignored. */
import { z } from 'zod';
import { ROUTE_METRIC, type Link, type PresentVxlan, type Route } from '../../core/routes/model.ts';

const Links = z.array(z.object({
  ifname: z.string(), flags: z.array(z.string()), mtu: z.int(),
  addr_info: z.array(z.object({ family: z.string().optional(), local: z.string().optional(), prefixlen: z.int().optional() })).default([]),
}));

export function parseLinks(value: unknown): Link[] {
  return Links.parse(value).map((link) => ({
    name: link.ifname, up: link.flags.includes('UP'), mtu: link.mtu,
    addresses: link.addr_info.flatMap((a) => (a.family === 'inet' && a.local !== undefined && a.prefixlen !== undefined ? [{ address: a.local, prefixLength: a.prefixlen }] : [])),
  }));
}

const Routes = z.array(z.object({
  type: z.string().default('unicast'), dst: z.string(), gateway: z.string().optional(), dev: z.string().optional(), prefsrc: z.string().optional(),
  flags: z.array(z.string()).default([]), metric: z.int().optional(), metrics: z.array(z.object({ mtu: z.int().optional() })).default([]),
}));

/** Routes of a type that we never make are left out. */
export function parseRoutes(value: unknown): Route[] {
  return Routes.parse(value).flatMap((route) => {
    if (route.type !== 'unicast' && route.type !== 'blackhole') return [];
    if (route.metric !== ROUTE_METRIC) return [];
    const mtu = route.metrics.find((m) => m.mtu !== undefined)?.mtu;
    return [{
      destination: route.dst.includes('/') ? route.dst : `${route.dst}/32`,
      type: route.type,
      ...(route.gateway !== undefined && { via: route.gateway }),
      ...(route.dev !== undefined && { device: route.dev }),
      ...(route.flags.includes('onlink') && { onlink: true }),
      ...(route.prefsrc !== undefined && { source: route.prefsrc }),
      ...(mtu !== undefined && { mtu }),
    }];
  });
}

const VxlanLinks = z.array(z.object({
  ifname: z.string(), mtu: z.int(), address: z.string(),
  linkinfo: z.object({
    info_kind: z.string(),
    info_data: z.object({ id: z.int().optional(), local: z.string().optional(), port: z.int().optional(), learning: z.boolean().optional() }).optional(),
  }).optional(),
}));

/** A device of our name that is no VXLAN device comes back with id 0, so that it is replaced. */
export function parseVxlan(value: unknown, link: Link, forwarding: PresentVxlan['forwarding'], neighbours: PresentVxlan['neighbours']): PresentVxlan | undefined {
  const [device] = VxlanLinks.parse(value);
  if (!device) return undefined;
  const data = device.linkinfo?.info_kind === 'vxlan' ? device.linkinfo.info_data : undefined;
  return {
    name: device.ifname, mac: device.address, mtu: device.mtu, up: link.up, addresses: link.addresses.map((a) => a.address),
    id: data?.id ?? 0, port: data?.port ?? 0, local: data?.local ?? '', learning: data?.learning ?? false, forwarding, neighbours,
  };
}

const Forwarding = z.array(z.object({ mac: z.string(), dst: z.string().optional() }));

export function parseForwarding(value: unknown): PresentVxlan['forwarding'] {
  return Forwarding.parse(value).flatMap((entry) => (entry.dst === undefined ? [] : [{ mac: entry.mac, outer: entry.dst }]));
}

const Neighbours = z.array(z.object({ dst: z.string(), lladdr: z.string().optional(), state: z.array(z.string()).default([]) }));

export function parseNeighbours(value: unknown): PresentVxlan['neighbours'] {
  return Neighbours.parse(value).flatMap((entry) => (entry.lladdr !== undefined && entry.state.includes('PERMANENT') ? [{ address: entry.dst, mac: entry.lladdr }] : []));
}
