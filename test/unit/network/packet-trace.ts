/**
 * Walks a packet through the model as the kernel would walk it through the table: "a packet from A to B:port ends
 * where". Only the first packet of a connection is walked, which is the one that rules decide on.
 */
import assert from 'node:assert/strict';
import { parseAddress, parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import type { Protocol, Target } from '../../../nodeagent/core/data-plane/plan.ts';
import type { Ends } from '../../../nodeagent/core/data-plane/policy/plan.ts';
import { SERVICE_MARK, type RejectMatch, type Rule } from '../../../nodeagent/core/nftables/model.ts';
import type { NftTable } from './nft-table.ts';

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: Protocol;
  /** Who sends it, of this machine's own. */
  readonly user?: number;
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
  readonly user: number | undefined;
}
type Verdict =
  | { readonly do: 'done' }
  | { readonly do: 'reject'; readonly with: 'reset' | 'unreachable' }
  | { readonly do: 'drop' }
  | { readonly do: 'return' }
  | { readonly do: 'fork'; readonly targets: readonly Target[] };

/** Who gets what is marked for a virtual server at an address. */
export type Virtual = (protocol: Protocol, address: string, port: number) => readonly Target[];

/** To whom others than the table lead a new connection; to nobody: it goes on. Each is as likely, and what is led is marked. */
export type Forward = (
  packet: { readonly saddr: string; readonly daddr: string; readonly port: number; readonly protocol: Protocol },
  local: (address: string) => boolean,
) => readonly Target[];

export function tracePacket(
  table: NftTable,
  machine: Machine,
  packet: Packet,
  forward?: Forward,
  virtual?: Virtual,
): Outcome {
  const local = (address: string): boolean => machine.addresses.includes(address) || address.startsWith('127.');
  const first: State = {
    saddr: packet.from,
    daddr: packet.to,
    port: packet.port,
    mark: 0,
    masqueraded: false,
    protocol: packet.protocol ?? 'TCP',
    user: packet.user,
  };
  const own = local(packet.from);
  // What begins at a loopback address has another source before anything else looks at it.
  if (own) walk(table, 'loopback-out', first, local);
  const led = forward?.(first, local) ?? [];
  if (led.length > 0) first.mark |= SERVICE_MARK;
  const nat: Verdict | undefined =
    led.length > 0 ? { do: 'fork', targets: led } : walk(table, own ? 'output' : 'prerouting', first, local);
  const isLed = virtual !== undefined && nat?.do !== 'fork' && (first.mark & SERVICE_MARK) !== 0;
  // What comes from elsewhere is taken by this machine first.
  const taken = isLed && !own ? walk(table, 'filter-input', first, local) : undefined;
  assert.equal(taken?.do === 'drop' || taken?.do === 'reject', false, 'IPVS gets what is marked for it');
  const servers = isLed ? virtual(first.protocol, packet.to, packet.port) : [];
  assert.equal(servers.length > 0, isLed, 'what is marked for IPVS has a virtual server');
  const targets = nat?.do === 'fork' ? nat.targets : isLed ? servers : [{ address: packet.to, port: packet.port }];
  const states: State[] = [];
  for (const target of targets) {
    const state = { ...first, daddr: target.address, port: target.port };
    const filters = isLed
      ? ['filter-output', 'guard-led', ...(local(state.daddr) ? ['filter-input', 'guard-input'] : [])]
      : own
        ? local(state.daddr)
          ? ['filter-output', 'filter-input', 'guard-input']
          : ['filter-output']
        : local(state.daddr)
          ? ['filter-input', 'guard-input']
          : ['filter-forward', 'guard-forward'];
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
  const drawn: Target[] = [];
  const left: number[] = [];
  for (const rule of table.chains.get(chain)?.rules ?? []) {
    const verdict = step(table, rule, state, local);
    if (verdict?.do === 'return') return undefined;
    if (verdict?.do === 'fork' && 'oneIn' in rule && rule.oneIn !== undefined) {
      drawn.push(...verdict.targets);
      left.push(rule.oneIn);
      continue;
    }
    if (verdict?.do !== 'fork' || drawn.length === 0) {
      if (verdict) return verdict;
      continue;
    }
    // As likely as the others, when each took its share of what those before it had left.
    assert.deepEqual(
      left,
      left.map((_, i) => left.length + 1 - i),
    );
    return { do: 'fork', targets: [...drawn, ...verdict.targets] };
  }
  assert.equal(drawn.length, 0, `chain ${chain} leaves packets to nobody`);
  return undefined;
}

function step(table: NftTable, rule: Rule, state: State, local: (address: string) => boolean): Verdict | undefined {
  const follow = (chain: string | undefined): Verdict | undefined =>
    chain === undefined ? undefined : (walk(table, chain, state, local) ?? { do: 'done' });
  const has = (set: string, key: string): boolean => table.elements.get(set)?.has(key) ?? false;
  const inside = (range: string, address: string): boolean => rangeHas(parseRange(range), address);
  const portKey = `${state.protocol.toLowerCase()} . ${state.port}`;
  const hits = (match: RejectMatch): boolean => {
    switch (match.what) {
      case 'range':
        return inside(match.cidr, state.daddr);
      case 'services':
        return has(match.set, `${state.daddr} . ${portKey}`);
      case 'addresses':
        return has(match.set, state.daddr);
      case 'node-ports':
        return !state.daddr.startsWith('127.') && has(match.set, portKey);
    }
  };
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
    case 'drop-borrowed':
      return state.saddr === rule.address &&
        inside(rule.pods, state.daddr) &&
        !inside(rule.local, state.daddr) &&
        (rule.user === undefined || rule.user !== state.user)
        ? { do: 'drop' }
        : undefined;
    // There are no links here: `from` is who it says.
    case 'drop-forged':
    case 'pass-known':
      return undefined;
    // Nor is there time.
    case 'limit-link':
      return undefined;
    case 'pass-hairpin':
      return has(rule.set, `${state.saddr} . ${state.daddr}`) ? { do: 'done' } : undefined;
    case 'jump-to':
      return state.daddr === rule.address ? walk(table, rule.chain, state, local) : undefined;
    case 'dispatch-address': {
      const chain = table.elements.get(rule.map)?.get(rule.side === 'source' ? state.saddr : state.daddr);
      return chain === undefined ? undefined : (walk(table, chain, state, local) ?? { do: 'return' });
    }
    case 'allow': {
      const isPort =
        rule.protocol === undefined ||
        (rule.protocol === state.protocol &&
          (rule.ports ?? []).some(([first, last]) => state.port >= first && state.port <= last));
      const isEnd = among(rule.ends, rule.side === 'source' ? state.saddr : state.daddr, has);
      return isPort && isEnd ? { do: 'return' } : undefined;
    }
    case 'allow-named':
      return has(rule.set, `${state.daddr} . ${portKey}`) && among(rule.ends, state.daddr, has)
        ? { do: 'return' }
        : undefined;
    case 'from-pods':
      return inside(rule.pods, state.saddr) ? follow(rule.chain) : undefined;
    case 'from-machine':
      return local(state.saddr) ? follow(rule.chain) : undefined;
    case 'admit':
      return rule.ranges.some((range) => inside(range, state.saddr)) ? follow(rule.chain) : undefined;
    case 'lead':
      state.mark |= SERVICE_MARK;
      return undefined;
    // First packets alone are walked.
    case 'lead-again':
      return undefined;
    case 'pass-marked':
      return (state.mark & SERVICE_MARK) === 0 ? undefined : { do: 'done' };
    case 'pass-own':
      return local(state.saddr) ? { do: 'done' } : undefined;
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
    case 'drop':
      return rule.match === undefined || hits(rule.match) ? { do: 'drop' } : undefined;
    case 'reject': {
      if (rule.protocol === 'TCP' && state.protocol !== 'TCP') return undefined;
      return hits(rule.match) ? { do: 'reject', with: rule.protocol === 'TCP' ? 'reset' : 'unreachable' } : undefined;
    }
  }
}

function among(ends: Ends, address: string, has: (set: string, key: string) => boolean): boolean {
  switch (ends.are) {
    case 'anyone':
      return true;
    case 'group':
      return has(ends.group, address);
    case 'spans': {
      const number = parseAddress(address);
      return ends.spans.some(([first, last]) => number >= first && number <= last);
    }
  }
}
