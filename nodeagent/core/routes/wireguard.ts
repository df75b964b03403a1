/** WireGuard between nodes: which peers a machine has, and the steps to have them. */
import type { ClusterSpec } from '../../../contracts/objects/index.ts';
import type { PresentWireGuard, RoutingStep, WantedRouting, WireGuardPeer } from './model.ts';

/** Another node, as the control plane has it. */
export interface KeyedPeer {
  readonly publicKey: string;
  readonly address: string;
  readonly addressIPv6: string | undefined;
  /** As they were allocated to it. */
  readonly podRanges: readonly string[];
}

/**
 * What each may send from is what was allocated to it, never what it says: its pods' ranges, and its own addresses, from
 * which its machine answers pods that asked it. By order of keys.
 */
export function wireGuardPeers(
  peers: readonly KeyedPeer[],
  { port, keepaliveSeconds }: ClusterSpec['network']['wireguard'],
): WireGuardPeer[] {
  return peers
    .map(({ publicKey, address, addressIPv6, podRanges }) => ({
      publicKey,
      endpoint: `${address}:${port}`,
      allowed: [...podRanges, `${address}/32`, ...(addressIPv6 === undefined ? [] : [`${addressIPv6}/128`])].sort(),
      keepalive: keepaliveSeconds,
    }))
    .sort((a, b) => (a.publicKey < b.publicKey ? -1 : 1));
}

/** Keys and addresses of peers in one call of `wg`: they are arguments, and there is a bound to those. */
const PEERS_A_STEP = 200;

/** From the device that is there to the wanted one, its addresses and its being up aside. */
export function wireGuardSteps(
  { device, peers }: NonNullable<WantedRouting['wireguard']>,
  present: PresentWireGuard | undefined,
): RoutingStep[] {
  const there = new Map(present?.peers.map((peer) => [peer.publicKey, peer]));
  const wanted = new Set(peers.map(({ publicKey }) => publicKey));
  const words = [
    ...[...there.keys()].filter((key) => !wanted.has(key)).map((key) => ['peer', key, 'remove']),
    ...peers.filter((peer) => !samePeer(peer, there.get(peer.publicKey))).map(peerWords),
  ];
  const steps: RoutingStep[] =
    present?.port === device.port ? [] : [wg('set', device.name, 'listen-port', String(device.port))];
  for (let at = 0; at < words.length; at += PEERS_A_STEP)
    steps.push(wg('set', device.name, ...words.slice(at, at + PEERS_A_STEP).flat()));
  return steps;
}

function wg(...args: string[]): RoutingStep {
  return { tool: 'wg', args };
}

function peerWords({ publicKey, endpoint, allowed, keepalive }: WireGuardPeer): string[] {
  return [
    'peer',
    publicKey,
    'endpoint',
    endpoint,
    'persistent-keepalive',
    String(keepalive),
    'allowed-ips',
    allowed.join(),
  ];
}

function samePeer(a: WireGuardPeer, b: WireGuardPeer | undefined): boolean {
  return (
    b !== undefined && a.endpoint === b.endpoint && a.keepalive === b.keepalive && a.allowed.join() === b.allowed.join()
  );
}

/**
 * What `wg show DEVICE` tells of `endpoints`, `allowed-ips` and `persistent-keepalive`: a line for each peer, its key and
 * a value behind a tab (wg(8)). A peer without an endpoint has an empty one.
 */
export function readWireGuardPeers(told: {
  readonly endpoints: string;
  readonly allowed: string;
  readonly keepalive: string;
}): WireGuardPeer[] {
  const allowed = columns(told.allowed);
  const keepalive = columns(told.keepalive);
  return [...columns(told.endpoints)].map(([publicKey, endpoint]) => ({
    publicKey,
    endpoint: endpoint === '(none)' ? '' : endpoint,
    allowed: (allowed.get(publicKey) ?? '')
      .split(' ')
      .filter((range) => range.includes('/'))
      .sort(),
    keepalive: Number.parseInt(keepalive.get(publicKey) ?? '', 10) || 0,
  }));
}

function columns(text: string): Map<string, string> {
  const lines = text.split('\n').filter(Boolean);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]));
}
