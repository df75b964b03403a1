/** What a lab is made of, worked out from its name, folder and subnet. Pure: nothing here looks at the machine. */
import { z } from 'zod';
import {
  formatAddress,
  formatRange,
  nthAddress,
  parseRange,
  rangeHolds,
  readRange,
  type Range,
} from '../contracts/ipv4.ts';
import { LabRefusal } from './errors.ts';

export const DEFAULT_LAB_NAME = 'plumb';
export const DEFAULT_SUBNET = '198.18.0.0/24';
/** Where the hosts pull from; they resolve this name through containerd's certs.d, never through DNS. */
export const REGISTRY_NAME = 'registry.lab';
const REGISTRY_PORT = 5000;
const FIRST_HOST = 11;

/** What `up` was asked for; kept as `settings.json` in the lab's folder so that `down` knows it after any crash. */
export const LabSettings = z.object({
  version: z.literal(1),
  /** At most 10 characters: it begins the names of network devices, which the kernel limits to 15. */
  name: z.string().regex(/^[a-z][a-z0-9]{0,9}$/),
  dir: z.string().startsWith('/'),
  subnet: z.string(),
  nodes: z.int().min(1).max(32),
  registry: z.boolean(),
});
export type LabSettings = z.infer<typeof LabSettings>;

export interface HostSettings {
  readonly name: string;
  /** 1-based. */
  readonly index: number;
  readonly address: string;
  readonly mac: string;
  /** The end of its network cable at the bridge. */
  readonly port: string;
  /** Folder with everything about it; `disk/` in it is its root file system. */
  readonly dir: string;
}

/** The lab's folder when none is given: one per name. */
export function defaultLabDir(name: string): string {
  return name === DEFAULT_LAB_NAME ? '/var/lib/plumbline-lab' : `/var/lib/plumbline-lab-${name}`;
}

/** Checks what a person asked for. Throws {@link LabRefusal} with one sentence. */
export function labSettings(wanted: Omit<LabSettings, 'version'>): LabSettings {
  if (!/^[a-z][a-z0-9]{0,9}$/.test(wanted.name))
    throw new LabRefusal(
      `'${wanted.name}' cannot name a lab: use 1 to 10 lower case letters and digits, a letter first.`,
    );
  if (!Number.isInteger(wanted.nodes) || wanted.nodes < 1 || wanted.nodes > 32)
    throw new LabRefusal(`A lab has 1 to 32 nodes, not ${wanted.nodes}.`);
  if (!/^\/[\w./@+-]{1,200}$/.test(wanted.dir))
    throw new LabRefusal(
      `The lab's folder must be an absolute path of at most 200 letters, digits and ./@+-_, not '${wanted.dir}'.`,
    );
  const subnet = parseSubnet(wanted.subnet);
  if (FIRST_HOST + wanted.nodes >= subnet.size)
    throw new LabRefusal(
      `${wanted.subnet} is too small for ${wanted.nodes} nodes, which begin at its address ${FIRST_HOST}: give a larger one with --subnet.`,
    );
  return { ...wanted, version: 1, subnet: formatRange(subnet) };
}

const TEST_ADDRESSES = parseRange('198.18.0.0/15');

/** Only subnets of 198.18.0.0/15 (RFC 2544, reserved for tests) are taken. */
export function parseSubnet(cidr: string): Range {
  const range = readRange(cidr);
  if (!range || range.prefix < 16 || range.prefix > 28 || !rangeHolds(TEST_ADDRESSES, range.first)) {
    throw new LabRefusal(
      `'${cidr}' cannot be a lab's subnet: give one of 198.18.0.0/15 (addresses reserved for tests), /16 to /28, such as ${DEFAULT_SUBNET}.`,
    );
  }
  return range;
}

export function prefixOf(settings: LabSettings): number {
  return parseSubnet(settings.subnet).prefix;
}

export function bridgeName(settings: Pick<LabSettings, 'name'>): string {
  return `${settings.name}-br`;
}

/** Begins the name of every network device of a lab. */
export function devicePrefix(settings: Pick<LabSettings, 'name'>): string {
  return `${settings.name}-`;
}

/** The machine's own address on the bridge: control plane and registry are reached there. */
export function machineAddress(settings: LabSettings): string {
  return nthAddress(settings.subnet, 1);
}

export function registryAddress(settings: LabSettings): string {
  return `${machineAddress(settings)}:${REGISTRY_PORT}`;
}

/** Every host of the lab, in order. Addresses begin at 11; hardware addresses are the same after each power cycle. */
export function hostsOf(settings: LabSettings): readonly HostSettings[] {
  const { first } = parseSubnet(settings.subnet);
  return Array.from({ length: settings.nodes }, (_, i) => {
    const address = first + FIRST_HOST + i;
    const octets = [24, 16, 8, 0].map((shift) =>
      (Math.floor(address / 2 ** shift) % 256).toString(16).padStart(2, '0'),
    );
    return {
      name: `node-${i + 1}`,
      index: i + 1,
      address: formatAddress(address),
      mac: `02:70:${octets.join(':')}`,
      port: `${settings.name}-n${i + 1}`,
      dir: `${settings.dir}/hosts/node-${i + 1}`,
    };
  });
}

/** The host of that name. Throws {@link LabRefusal} naming those there are. */
export function hostNamed(settings: LabSettings, name: string): HostSettings {
  const hosts = hostsOf(settings);
  const host = hosts.find((h) => h.name === name);
  if (!host) throw new LabRefusal(`The lab has no node '${name}'; it has ${hosts.map((h) => h.name).join(', ')}.`);
  return host;
}

export const labPaths = {
  settings: (dir: string) => `${dir}/settings.json`,
  info: (dir: string) => `${dir}/lab.json`,
  scripts: (dir: string) => `${dir}/boot`,
  sshKey: (dir: string) => `${dir}/ssh/id_ed25519`,
  knownHosts: (dir: string) => `${dir}/ssh/known_hosts`,
  registry: (dir: string) => `${dir}/registry`,
  disk: (host: HostSettings) => `${host.dir}/disk`,
  /** Process id and start time of the host's PID 1, as the machine sees it. */
  init: (host: HostSettings) => `${host.dir}/init.json`,
} as const;
