/**
 * The lab's cables: one bridge, one veth pair per host. Everything is named `NAME-...` and made with one `ip -batch`
 * per step.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { rangesOverlap, readRange } from '../contracts/ipv4.ts';
import { LabRefusal } from './errors.ts';
import { run, runOrFail } from './process.ts';
import {
  bridgeName,
  devicePrefix,
  machineAddress,
  parseSubnet,
  prefixOf,
  type HostSettings,
  type LabSettings,
} from './settings.ts';

/** State of a bridge port that drops every frame both ways while the link stays up (IEEE 802.1D "blocking"). */
const BLOCKING = 1;
const FORWARDING = 3;

const Addresses = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z.array(z.object({ local: z.string().optional(), prefixlen: z.int().optional() })).optional(),
  }),
);
const Routes = z.array(z.object({ dst: z.string(), dev: z.string().optional() }));

async function ipBatch(lines: readonly string[], signal?: AbortSignal): Promise<void> {
  await runOrFail(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n`, signal });
}

/**
 * Throws {@link LabRefusal} where the machine already has an address or a route in the lab's subnet, or a device of its
 * names.
 */
export async function refuseAddressClash(settings: LabSettings, signal?: AbortSignal): Promise<void> {
  const wanted = parseSubnet(settings.subnet);
  const addresses = Addresses.parse(JSON.parse(await runOrFail(['ip', '-json', '-4', 'addr', 'show'], { signal })));
  for (const device of addresses) {
    for (const { local, prefixlen } of device.addr_info ?? []) {
      const range = readRange(`${local ?? ''}/${prefixlen ?? 32}`);
      if (range && rangesOverlap(range, wanted))
        throw new LabRefusal(
          `${device.ifname ?? 'A device'} already has ${local}/${prefixlen}, which is in the lab's subnet ${settings.subnet}: choose another with --subnet.`,
        );
    }
  }
  const routes = Routes.parse(
    JSON.parse((await runOrFail(['ip', '-json', '-4', 'route', 'show', 'table', 'all'], { signal })) || '[]'),
  );
  for (const route of routes) {
    // One address is written without its length; `default` is no range.
    const range = readRange(route.dst.includes('/') ? route.dst : `${route.dst}/32`);
    // A route for all addresses is a default route, however it is written.
    if (range && range.prefix > 1 && rangesOverlap(range, wanted))
      throw new LabRefusal(
        `The machine already has a route to ${route.dst}${route.dev ? ` on ${route.dev}` : ''}, which overlaps the lab's subnet ${settings.subnet}: choose another with --subnet.`,
      );
  }
  const taken = labDevices(settings)[0];
  if (taken !== undefined)
    throw new LabRefusal(
      `A network device '${taken}' is already there and is not of a lab in ${settings.dir}: choose another --name.`,
    );
}

export async function makeBridge(settings: LabSettings, signal?: AbortSignal): Promise<void> {
  const bridge = bridgeName(settings);
  await ipBatch(
    [
      `link add name ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      `link set dev ${bridge} addrgenmode none alias ${settings.dir}`,
      `addr add ${machineAddress(settings)}/${prefixOf(settings)} dev ${bridge}`,
      `link set dev ${bridge} up`,
    ],
    signal,
  );
}

/**
 * The folder of the lab that the bridge of that name belongs to: the bridge carries it as its alias. Undefined when
 * there is no such bridge.
 */
export function bridgeOwner(name: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${bridgeName({ name })}/ifalias`, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Plugs a host, given any process in its network namespace, into the bridge. A cable left over is replaced. */
export async function plugCable(
  settings: LabSettings,
  host: HostSettings,
  pid: number,
  signal?: AbortSignal,
): Promise<void> {
  await pullCable(host);
  await ipBatch(
    [
      `link add name ${host.port} type veth peer name eth0 address ${host.mac} netns ${pid}`,
      `link set dev ${host.port} addrgenmode none`,
      `link set dev ${host.port} master ${bridgeName(settings)}`,
      `link set dev ${host.port} up`,
    ],
    signal,
  );
}

export async function pullCable(host: HostSettings): Promise<void> {
  if (deviceExists(host.port)) await run(['ip', 'link', 'del', 'dev', host.port]);
}

/** Nothing passes either way, and neither side is told: the links stay up. */
export async function blockCable(host: HostSettings, signal?: AbortSignal): Promise<void> {
  await runOrFail(['ip', 'link', 'set', 'dev', host.port, 'type', 'bridge_slave', 'state', String(BLOCKING)], {
    signal,
  });
}

export async function unblockCable(host: HostSettings, signal?: AbortSignal): Promise<void> {
  await runOrFail(['ip', 'link', 'set', 'dev', host.port, 'type', 'bridge_slave', 'state', String(FORWARDING)], {
    signal,
  });
}

export function cableIsBlocked(host: HostSettings): boolean {
  try {
    return Number(readFileSync(`/sys/class/net/${host.port}/brport/state`, 'utf8')) !== FORWARDING;
  } catch {
    return true;
  }
}

export function deviceExists(name: string): boolean {
  return readdirSync('/sys/class/net').includes(name);
}

/** Every network device that bears the lab's name. */
export function labDevices(settings: Pick<LabSettings, 'name'>): readonly string[] {
  return readdirSync('/sys/class/net')
    .filter((device) => device.startsWith(devicePrefix(settings)))
    .sort();
}

/** Removes bridge and cables. Safe to repeat. */
export async function removeDevices(settings: Pick<LabSettings, 'name'>): Promise<void> {
  for (const device of labDevices(settings)) await run(['ip', 'link', 'del', 'dev', device]);
}
