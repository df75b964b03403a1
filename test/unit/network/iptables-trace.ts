/** Walks first packets through our chains of iptables, and to virtual servers, beside the table that nftables has then. */
import assert from 'node:assert/strict';
import { parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import type { Target } from '../../../nodeagent/core/data-plane/plan.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { CHAINS, type Rule } from '../../../nodeagent/core/iptables/model.ts';
import { Chains } from '../../../nodeagent/core/iptables/ruleset.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { wantedServers } from '../../../nodeagent/core/ipvs/compile.ts';
import { planServers } from '../../../nodeagent/core/ipvs/diff.ts';
import { serverKey, type VirtualServer } from '../../../nodeagent/core/ipvs/model.ts';
import { applyCommands } from './nft-table.ts';
import { tracePacket, type Forward, type Machine, type Outcome, type Packet, type Virtual } from './packet-trace.ts';

/** Where the packet ends by this plan: the same whether nftables forwards, iptables or IPVS. */
export function traceByAll(plan: ServicePlan, machine: Machine, packet: Packet): Outcome {
  const byTable = tracePacket(applyCommands(undefined, wholeRuleset(compilePlan(plan)).commands), machine, packet);
  const chains = new Chains('IPv4');
  chains.change(plan.forwardings);
  const beside = applyCommands(undefined, wholeRuleset(compilePlan(plan, 'iptables')).commands);
  assert.deepEqual(tracePacket(beside, machine, packet, forwardBy(chains)), byTable, 'iptables leads it elsewhere');
  assert.deepEqual(traceByIpvs(plan, machine, packet), byTable, 'IPVS leads it elsewhere');
  return byTable;
}

/** Where the packet ends when IPVS forwards. */
export function traceByIpvs(plan: ServicePlan, machine: Machine, packet: Packet): Outcome {
  const servers = planServers(wantedServers(plan.forwardings, 'rr'), new Map()).after;
  const marking = applyCommands(
    undefined,
    wholeRuleset(compilePlan({ ...plan, policy: { ...plan.policy, forwardBy: 'ipvs' } }, 'ipvs')).commands,
  );
  return tracePacket(marking, machine, packet, undefined, byServers(servers));
}

function byServers(servers: ReadonlyMap<string, VirtualServer>): Virtual {
  return (protocol, address, port) =>
    [...(servers.get(serverKey({ protocol, address, port }))?.targets.keys() ?? [])].map((key) => {
      const [to = '', toPort] = key.split(' ');
      return { address: to, port: Number(toPort) };
    });
}

function forwardBy(chains: Chains): Forward {
  return (packet, local) => {
    let marked = false;
    const matches = (rule: Rule): boolean =>
      (rule.from === undefined || rangeHas(parseRange(rule.from), packet.saddr)) &&
      (rule.to === undefined || rangeHas(parseRange(rule.to), packet.daddr)) &&
      (rule.notTo === undefined || !rangeHas(parseRange(rule.notTo), packet.daddr)) &&
      (rule.protocol === undefined || rule.protocol === packet.protocol) &&
      (rule.port === undefined || rule.port === packet.port) &&
      (rule.machine === undefined || local(rule.machine === 'to' ? packet.daddr : packet.saddr)) &&
      // Nobody was here before.
      rule.client?.do !== 'seen';
    const walk = (name: string): readonly Target[] => {
      const drawn: Target[] = [];
      const left: number[] = [];
      const { rules } = chains.all.get(name) ?? assert.fail(`there is no chain ${name}`);
      for (const rule of rules.filter(matches)) {
        if (rule.action.do === 'mark') {
          marked = true;
          continue;
        }
        const targets = rule.action.do === 'send' ? [rule.action.target] : walk(rule.action.chain);
        if (rule.oneIn === undefined) {
          // As likely as the others, when each took its share of what those before it had left.
          assert.deepEqual(
            left,
            left.map((_, i) => left.length + 1 - i),
          );
          return [...drawn, ...targets];
        }
        drawn.push(...targets);
        left.push(rule.oneIn);
      }
      assert.equal(drawn.length, 0, `chain ${name} leaves packets to nobody`);
      return [];
    };
    const targets = walk(CHAINS.services);
    assert.equal(marked, targets.length > 0, 'what is led is marked, and nothing else');
    return targets;
  };
}
