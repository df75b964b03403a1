/**
 * Walks a packet through the model as the kernel would walk it through the table: "a packet from A to B:port ends
 * where". Only the first packet of a connection is walked, which is the one that rules decide on.
 */
import { parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import type { Protocol, Target } from '../../../nodeagent/core/data-plane/plan.ts';
import { SERVICE_MARK, type Rule } from '../../../nodeagent/core/nftables/model.ts';
import type { NftTable } from './nft-table.ts';

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: Protocol;
}

export interface Machine {
  /** Addresses of this machine itself. */
  readonly addresses: readonly string[];
}

export type Outcome =
  /** `masqueraded`: the receiver sees an address of this machine instead of `from`. `to`: each is as likely. */
  | { readonly end: 'delivered'; readonly to: readonly string[]; readonly masqueraded: readonly boolean[] }
  | { readonly end: 'rejected'; readonly with: 'reset' | 'unreachable' }
  | { readonly end: 'dropped' };

interface State {
  saddr: string;
  daddr: string;
  port: number;
  mark: number;
  masqueraded: boolean;
  readonly protocol: Protocol;
}
type Verdict =
  | { readonly do: 'done' }
  | { readonly do: 'reject'; readonly with: 'reset' | 'unreachable' }
  | { readonly do: 'drop' }
  | { readonly do: 'fork'; readonly targets: readonly Target[] };

export function tracePacket(table: NftTable, machine: Machine, packet: Packet): Outcome {
  const local = (address: string): boolean => machine.addresses.includes(address) || address.startsWith('127.');
  const first: State = {
    saddr: packet.from,
    daddr: packet.to,
    port: packet.port,
    mark: 0,
    masqueraded: false,
    protocol: packet.protocol ?? 'TCP',
  };
  const own = local(packet.from);
  // What begins at a loopback address has another source before anything else looks at it.
  if (own) walk(table, 'loopback-out', first, local);
  const nat = walk(table, own ? 'output' : 'prerouting', first, local);
  const targets = nat?.do === 'fork' ? nat.targets : [{ address: packet.to, port: packet.port }];
  const states: State[] = [];
  for (const target of targets) {
    const state = { ...first, daddr: target.address, port: target.port };
    const filters = own
      ? local(state.daddr)
        ? ['filter-output', 'filter-input']
        : ['filter-output']
      : [local(state.daddr) ? 'filter-input' : 'filter-forward'];
    for (const chain of filters) {
      const verdict = walk(table, chain, state, local);
      if (verdict?.do === 'drop') return { end: 'dropped' };
      if (verdict?.do === 'reject') return { end: 'rejected', with: verdict.with };
    }
    if (own || !local(state.daddr)) walk(table, 'postrouting', state, local);
    states.push(state);
  }
  return {
    end: 'delivered',
    to: states.map((s) => `${s.daddr}:${s.port}`),
    masqueraded: states.map((s) => s.masqueraded),
  };
}

function walk(table: NftTable, chain: string, state: State, local: (address: string) => boolean): Verdict | undefined {
  for (const rule of table.chains.get(chain)?.rules ?? []) {
    const verdict = step(table, rule, state, local);
    if (verdict) return verdict;
  }
  return undefined;
}

function step(table: NftTable, rule: Rule, state: State, local: (address: string) => boolean): Verdict | undefined {
  const follow = (chain: string | undefined): Verdict | undefined =>
    chain === undefined ? undefined : (walk(table, chain, state, local) ?? { do: 'done' });
  const has = (set: string, key: string): boolean => table.elements.get(set)?.has(key) ?? false;
  const inside = (range: string, address: string): boolean => rangeHas(parseRange(range), address);
  const portKey = `${state.protocol.toLowerCase()} . ${state.port}`;
  const masquerade = (): Verdict => {
    state.masqueraded = true;
    return { do: 'done' };
  };
  switch (rule.kind) {
    case 'jump':
      return walk(table, rule.chain, state, local);
    case 'jump-marked':
      return (state.mark & SERVICE_MARK) === 0 ? undefined : walk(table, rule.chain, state, local);
    case 'dispatch-services':
      return follow(table.elements.get(rule.map)?.get(`${state.daddr} . ${portKey}`));
    case 'dispatch-host-ports':
      return local(state.daddr) ? follow(table.elements.get(rule.map)?.get(`${state.daddr} . ${portKey}`)) : undefined;
    case 'lend-address':
      if (state.saddr === '127.0.0.1' && has(rule.set, `${state.daddr} . ${portKey}`)) {
        state.saddr = rule.address;
        state.masqueraded = true;
      }
      return undefined;
    case 'restore-loopback':
      return undefined;
    case 'drop-strangers':
      return state.protocol === 'UDP' && state.port === rule.port && !has(rule.set, state.saddr)
        ? { do: 'drop' }
        : undefined;
    case 'dispatch-node-ports':
      return local(state.daddr) && !state.daddr.startsWith('127.')
        ? follow(table.elements.get(rule.map)?.get(portKey))
        : undefined;
    case 'balance':
    case 'remember': {
      if (rule.protocol !== state.protocol) return undefined;
      state.mark |= SERVICE_MARK;
      return { do: 'fork', targets: rule.kind === 'balance' ? rule.targets : [rule.target] };
    }
    case 'stick':
      return has(rule.set, state.saddr) ? follow(rule.chain) : undefined;
    case 'choose': {
      const verdicts = rule.chains.map(follow);
      return { do: 'fork', targets: verdicts.flatMap((v) => (v?.do === 'fork' ? v.targets : [])) };
    }
    case 'unmark':
      state.mark &= ~SERVICE_MARK;
      return undefined;
    case 'masquerade-hairpin':
      return has(rule.set, `${state.saddr} . ${state.daddr}`) ? masquerade() : undefined;
    case 'masquerade-transit':
      return rule.local !== undefined && (inside(rule.local, state.saddr) || inside(rule.local, state.daddr))
        ? undefined
        : masquerade();
    case 'masquerade-egress':
      return inside(rule.local, state.saddr) && !inside(rule.pods, state.daddr) && !has(rule.nodes, state.daddr)
        ? masquerade()
        : undefined;
    case 'reject': {
      if (rule.protocol === 'TCP' && state.protocol !== 'TCP') return undefined;
      const { match } = rule;
      const hit =
        match.what === 'range'
          ? inside(match.cidr, state.daddr)
          : match.what === 'services'
            ? has(match.set, `${state.daddr} . ${portKey}`)
            : !state.daddr.startsWith('127.') && has(match.set, portKey);
      return hit ? { do: 'reject', with: rule.protocol === 'TCP' ? 'reset' : 'unreachable' } : undefined;
    }
  }
}
