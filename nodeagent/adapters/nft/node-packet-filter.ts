/**
 * A node's packet filter: nftables, with the means of forwarding that the plan asks for in the place of nftables' own.
 *
 * Two parts of the kernel have no transaction in common. So new ways are in before the old ones are taken away, and what is
 * refused is known before nobody takes it any more.
 */
import { joinSignals } from '../../../contracts/signals.ts';
import type { Forwarding, PlanOwner, ServicePlan } from '../../core/data-plane/plan.ts';
import type { Forwarder } from '../../ports/forwarder.ts';
import { FilterRefusedError, type FilterWrite, type PacketFilter } from '../../ports/packet-filter.ts';
import { createNftPacketFilter, type NftSettings } from './nft-packet-filter.ts';
import { CHAINS, OWN_PREFIX } from '../../core/iptables/model.ts';

export interface NodePacketFilterSettings extends NftSettings {
  /** Of the same family. */
  readonly iptables: Forwarder;
}

export function createNodePacketFilter({ iptables, ...settings }: NodePacketFilterSettings): PacketFilter {
  const nft = createNftPacketFilter({
    ...settings,
    // iptables' successor keeps its tables in nftables.
    beside: { table: 'nat', prefix: OWN_PREFIX, generationChain: CHAINS.generation },
  });
  /** What the plan in force asks for; undefined before the first. */
  let asked: ServicePlan['policy']['forwardBy'] | undefined;
  /** Forwards; undefined while nftables does. */
  let forwarder: Forwarder | undefined;
  /** Why it is nftables although another was asked for. */
  let substitution: string | undefined;
  /** Nothing of iptables is there, as far as we know. An earlier process may have left something. */
  let isTidy = false;
  /** What the last writes left: a write that concerned one part left its generation there alone. */
  let left = { last: '', nft: '', forwarder: '' };

  const replaceForwarder = async (
    forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>,
    generation: string,
    signal: AbortSignal,
  ): Promise<FilterWrite> => {
    isTidy = false;
    try {
      const done = await iptables.replace(forwardings, generation, signal);
      forwarder = iptables;
      return done;
    } catch (error) {
      if (!(error instanceof FilterRefusedError)) throw error;
      substitution = error.message;
      return { commands: 0 };
    }
  };

  return {
    async replace(plan, generation, signal) {
      asked = plan.policy.forwardBy;
      forwarder = undefined;
      substitution = undefined;
      const first =
        asked === 'nftables' ? { commands: 0 } : await replaceForwarder(plan.forwardings, generation, signal);
      const policy = forwarder ? plan.policy : { ...plan.policy, forwardBy: 'nftables' as const };
      const done = await nft.replace({ ...plan, policy }, generation, signal);
      if (forwarder === undefined && !isTidy) {
        await iptables.remove(signal);
        isTidy = true;
      }
      left = { last: generation, nft: generation, forwarder: generation };
      return { commands: first.commands + done.commands };
    },

    async change(change, generation, signal) {
      if (change.policy && change.policy.forwardBy !== asked)
        throw new FilterRefusedError(`the Cluster asks for ${change.policy.forwardBy} now`);
      const by = forwarder;
      if (by === undefined) return nft.change(change, generation, signal);
      let led = 0;
      const done = await nft.changeAround(
        change,
        generation,
        async () => {
          led = (await by.change(change.forwardings, generation, signal)).commands;
        },
        signal,
      );
      if (done.commands > 0) left = { ...left, last: generation, nft: generation };
      if (led > 0) left = { ...left, last: generation, forwarder: generation };
      return { commands: done.commands + led };
    },

    async remove(signal) {
      asked = undefined;
      forwarder = undefined;
      await nft.remove(signal);
      await iptables.remove(signal);
      isTidy = true;
    },

    async present(signal) {
      return (await nft.present(signal)) && (forwarder === undefined || (await forwarder.present(signal)));
    },

    async survey(signal) {
      const found = await nft.survey(signal);
      if (forwarder === undefined) return found;
      const led = await forwarder.survey(signal);
      const isOurs = found.generation === left.nft && led.generation === left.forwarder;
      return { generation: isOurs ? left.last : undefined, damage: found.damage ?? led.damage };
    },

    async watch(tell, signal) {
      const over = new AbortController();
      using either = joinSignals(signal, over.signal);
      const told = (): void => {
        tell('own-rules');
      };
      const watches = [nft.watch(tell, either.signal), iptables.watch(told, either.signal)];
      try {
        return await Promise.race(watches);
      } finally {
        over.abort(new Error('the other watch ended'));
        await Promise.allSettled(watches);
      }
    },

    substitution: () =>
      substitution === undefined
        ? undefined
        : `this node cannot forward by ${asked ?? 'other means'} as the Cluster asks, and goes on with nftables: ${substitution}`,

    forgetFlows: (flows, signal) => nft.forgetFlows(flows, signal),
    flows: (of, signal) => nft.flows(of, signal),
    forwardDrops: (podRange, signal) => nft.forwardDrops(podRange, signal),
  };
}
