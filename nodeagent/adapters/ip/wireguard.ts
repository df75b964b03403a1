/** The machine's WireGuard device, by `ip` and `wg`. Nothing here reads the private key but the kernel, from its file. */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { Link, PresentWireGuard } from '../../core/routes/model.ts';
import { readWireGuardPeers } from '../../core/routes/wireguard.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import type { WireGuardKey } from '../../ports/routing.ts';

const DEVICE = NODE_NAMES.wireguardDevice;
const NO_PROGRAM =
  'this node has no `wg`, which WireGuard between nodes needs: on it, run: apt-get install -y wireguard-tools';

/** As `Routing.prepareWireGuard`. */
export async function prepareWireGuard(
  run: RunCommand,
  { path, publicKey }: WireGuardKey,
  signal: AbortSignal,
): Promise<{ readonly publicKey: string; readonly problem?: string }> {
  const there = await run(['ip', 'link', 'show', 'dev', DEVICE], { signal });
  if (there.code !== 0) {
    const made = await run(['ip', 'link', 'add', DEVICE, 'type', 'wireguard'], { signal });
    if (made.code !== 0)
      return {
        publicKey,
        problem: `the kernel of this node has no WireGuard (\`ip link add type wireguard\`: ${firstLine(made.stderr)}): boot one that has (Linux 5.6 and newer, module wireguard), or choose another spec.network.overlay in the Cluster. Until then its pods reach no other node`,
      };
  }
  try {
    const { stdout } = await run(['wg', 'show', DEVICE, 'public-key'], { signal });
    if (stdout.trim() === publicKey) return { publicKey };
    const { code, stderr } = await run(['wg', 'set', DEVICE, 'private-key', path], { signal });
    return code === 0
      ? { publicKey }
      : { publicKey, problem: `\`wg set ${DEVICE} private-key ${path}\` failed: ${firstLine(stderr)}` };
  } catch (error) {
    if (!isMissingProgram(error)) throw error;
    return { publicKey, problem: NO_PROGRAM };
  }
}

/** A device of our name that is none of WireGuard comes back without peers, as does one that nothing can be asked of. */
export async function inspectWireGuard(run: RunCommand, link: Link, signal: AbortSignal): Promise<PresentWireGuard> {
  const ask = async (what: string): Promise<string> => {
    try {
      return (await run(['wg', 'show', DEVICE, what], { signal })).stdout;
    } catch (error) {
      if (!isMissingProgram(error)) throw error;
      return '';
    }
  };
  return {
    name: DEVICE,
    mtu: link.mtu,
    up: link.up,
    addresses: [...link.addresses, ...(link.addressesIPv6 ?? [])].map(({ address }) => address),
    port: Number.parseInt(await ask('listen-port'), 10) || 0,
    peers: readWireGuardPeers({
      endpoints: await ask('endpoints'),
      allowed: await ask('allowed-ips'),
      keepalive: await ask('persistent-keepalive'),
    }),
  };
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
