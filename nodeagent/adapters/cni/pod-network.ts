/**
 * `PodNetwork` on host-local's files, the network's own plugin and iproute2. An address is given back as a runtime does
 * it, by the plugin's DEL with the sandbox's id: it holds host-local's lock, and removes what is of that id alone.
 */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { NETWORK } from '../../core/cni/conflist.ts';
import { parseReservation, type Reservation } from '../../core/cni/reservations.ts';
import { shapedCable, shapingCommands, shapingDevice } from '../../core/cni/shaping.ts';
import type { CniConfigFile } from '../../ports/cni-config.ts';
import type { PodNetwork } from '../../ports/pod-network.ts';
import type { RunCommand } from '../../ports/run-command.ts';

export interface PodNetworkSettings {
  readonly run: RunCommand;
  readonly config: CniConfigFile;
  /** The last bytes of a regular file; empty where there is none. */
  readonly readEnd: (path: string, bytes: number) => Promise<Buffer>;
}

const MOST_RESERVATIONS = 4096;
/** An id, a line's end and a device's name are 81. */
const RESERVATION_BYTES = 256;
/** How containerd names the namespaces that it makes, in `/run/netns`. */
const NAMESPACE = /^cni-[0-9a-f-]{36}$/;

type Fields = Readonly<Record<string, unknown>>;

export function createPodNetwork({ run, config, readEnd }: PodNetworkSettings): PodNetwork {
  const folder = join(config.dataDir, NETWORK);

  async function ask(argv: readonly string[], signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await run(argv, { signal });
    if (code !== 0) throw new Error(`\`${argv.join(' ')}\` failed: ${stderr.trim().slice(0, 300)}`);
    return stdout;
  }
  async function rows(argv: readonly string[], signal: AbortSignal): Promise<readonly Fields[]> {
    const text = await ask(argv, signal);
    const value: unknown = text.trim() === '' ? [] : JSON.parse(text);
    return Array.isArray(value) ? value.filter((row): row is Fields => typeof row === 'object' && row !== null) : [];
  }

  /** The host's end of the cable that leads to an address; undefined where none does. */
  async function cableTo(address: string, signal: AbortSignal): Promise<Fields | undefined> {
    const [route] = await rows(['ip', '-j', '-4', 'route', 'show', 'table', 'main', `${address}/32`], signal);
    const device = route && readKey(route, 'dev');
    if (typeof device !== 'string') return undefined;
    const links = await rows(['ip', '-j', 'link', 'show', 'type', 'veth'], signal);
    return links.find((link) => link['ifname'] === device);
  }

  /** Names of our devices that pods' packets are led through. */
  async function shapingDevices(signal: AbortSignal): Promise<readonly string[]> {
    const links = await rows(['ip', '-j', 'link', 'show', 'type', 'ifb'], signal);
    return links.flatMap(({ ifname }) =>
      typeof ifname === 'string' && shapedCable(ifname) !== undefined ? [ifname] : [],
    );
  }

  return {
    async limit(address, rates, signal) {
      const cable = String((await cableTo(address, signal))?.['ifname']);
      const device = shapingDevice(cable);
      if (device === undefined) throw new Error(`there is no cable to ${address} whose traffic could be limited`);
      const isThere = async (): Promise<boolean> => (await shapingDevices(signal)).includes(device);
      if (rates.egress !== undefined && !(await isThere())) {
        const added = ask(['ip', 'link', 'add', 'name', device, 'type', 'ifb'], signal);
        // Containers of one pod start at the same time: another one's start may have been faster.
        await added.catch(async (error: unknown) => {
          if (!(await isThere())) throw error;
        });
      }
      for (const argv of shapingCommands(cable, device, rates)) await ask(argv, signal);
    },

    async removeStaleLimits(signal) {
      const devices = await shapingDevices(signal);
      if (devices.length === 0) return;
      const cables = (await rows(['ip', '-j', 'link', 'show', 'type', 'veth'], signal)).map(({ ifname }) => ifname);
      for (const device of devices)
        if (!cables.includes(shapedCable(device))) await ask(['ip', 'link', 'delete', 'dev', device], signal);
    },

    async reservations() {
      const found: Reservation[] = [];
      const files = await opendir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      for await (const { name } of files ?? []) {
        const text = (await readEnd(join(folder, name), RESERVATION_BYTES)).toString('latin1');
        const reservation = parseReservation(name, text);
        if (reservation && found.push(reservation) === MOST_RESERVATIONS) break;
      }
      return found;
    },

    async release({ address, sandboxId, device }, plugins, signal) {
      const plugin = pluginOf(await config.read(signal));
      if (plugin === undefined) return 'in use';
      const cable = await cableTo(address, signal);
      let namespace: string | undefined;
      if (cable) {
        const id = readKey(cable, 'link_netnsid');
        const named = (await rows(['ip', '-j', 'netns', 'list'], signal)).find((one) => one['id'] === id);
        const name = named && readKey(named, 'name');
        // A namespace without a name is there for as long as a process is in it.
        if (typeof id !== 'number' || typeof name !== 'string' || !NAMESPACE.test(name)) return 'in use';
        if ((await ask(['ip', 'netns', 'pids', name], signal)).trim() !== '') return 'in use';
        namespace = name;
        await ask(['ip', 'link', 'delete', 'dev', String(cable['ifname'])], signal);
      }
      const env = [
        'CNI_COMMAND=DEL',
        `CNI_CONTAINERID=${sandboxId}`,
        `CNI_IFNAME=${device}`,
        'CNI_NETNS=',
        `CNI_PATH=${plugins}`,
      ];
      const { code, stdout } = await run(['env', ...env, join(plugins, plugin.type)], { signal, input: plugin.text });
      if (code !== 0) throw new Error(`address ${address} cannot be given back: ${stdout.trim().slice(0, 300)}`);
      if (namespace !== undefined) await ask(['ip', 'netns', 'delete', namespace], signal);
      return 'released';
    },
  };
}

/** What a runtime hands the first plugin of a list. Source: CNI specification 0.4.0, network configuration lists. */
function pluginOf(conflist: string | undefined): { readonly type: string; readonly text: string } | undefined {
  if (conflist === undefined) return undefined;
  const list = JSON.parse(conflist) as { cniVersion?: string; name?: string; plugins?: readonly { type?: string }[] };
  const plugin = list.plugins?.[0];
  if (list.name !== NETWORK || plugin?.type === undefined || !/^[\w-]+$/.test(plugin.type)) return undefined;
  return { type: plugin.type, text: JSON.stringify({ cniVersion: list.cniVersion, name: list.name, ...plugin }) };
}
