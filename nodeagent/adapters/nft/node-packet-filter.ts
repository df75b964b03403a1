/**
 * A node's packet filter: nftables, with the means of forwarding that the plan asks for in the place of nftables' own.
 *
 * Two parts of the kernel have no transaction in common. So new ways are in before the old ones are taken away, and what is
 * refused is known before nobody takes it any more.
 */
import { joinSignals } from '../../../contracts/signals.ts';
import type { ForwardingMeans, NodePolicy, ServicePlan } from '../../core/data-plane/plan.ts';
import type { Forwarder } from '../../ports/forwarder.ts';
import { FilterRefusedError, type FilterWrite, type PacketFilter } from '../../ports/packet-filter.ts';
import { createNftPacketFilter, type NftSettings } from './nft-packet-filter.ts';
import { CHAINS, OWN_PREFIX } from '../../core/iptables/model.ts';

export interface NodePacketFilterSettings extends NftSettings {
  /** Of the same family. */
  readonly forwarders: Forwarders;
}

type OtherMeans = Exclude<ForwardingMeans, 'nftables'>;

/** A node has all of them: which one forwards is the plan's. */
export type Forwarders = Readonly<Record<OtherMeans, Forwarder>>;

const OTHER_MEANS: readonly OtherMeans[] = ['iptables', 'ipvs'];
const AFTER_IPVS = { afterIpvs: true } as const;

export function createNodePacketFilter({ forwarders, ...settings }: NodePacketFilterSettings): PacketFilter {
  const nft = createNftPacketFilter({
    ...settings,
    // iptables' successor keeps its tables in nftables.
    beside: { table: 'nat', prefix: OWN_PREFIX, generationChain: CHAINS.generation },
  });
  /** What the plan in force asks for; undefined before the first. */
  let asked: Pick<NodePolicy, 'forwardBy' | 'scheduler'> | undefined;
  /** Forwards; undefined while nftables does. */
  let means: OtherMeans | undefined;
  /** IPVS forwarded before: what it led goes on. */
  let afterIpvs = false;
  /** Why it is nftables although another was asked for. */
  let substitution: string | undefined;
  /** Of these something may be there: an earlier process may have left it. */
  const left = new Set(OTHER_MEANS);
  /** What the last writes left: a write that concerned one part left its generation there alone. */
  let marks = { last: '', nft: '', forwarder: '' };

  const replaceForwarder = async (
    by: OtherMeans,
    plan: ServicePlan,
    generation: string,
    signal: AbortSignal,
  ): Promise<FilterWrite> => {
    left.add(by);
    try {
      const done = await forwarders[by].replace(plan, generation, signal);
      means = by;
      return done;
    } catch (error) {
      if (!(error instanceof FilterRefusedError)) throw error;
      substitution = error.message;
      return { commands: 0 };
    }
  };

  /** What nftables has to do. */
  const inForce = (policy: NodePolicy): NodePolicy =>
    means === undefined
      ? { ...policy, forwardBy: 'nftables', ...(afterIpvs && AFTER_IPVS) }
      : { ...policy, ...(afterIpvs && AFTER_IPVS) };

  return {
    async replace(plan, generation, signal) {
      const { forwardBy, scheduler } = plan.policy;
      asked = { forwardBy, ...(scheduler && { scheduler }) };
      afterIpvs = means === 'ipvs' || afterIpvs;
      means = undefined;
      substitution = undefined;
      const first =
        forwardBy === 'nftables' ? { commands: 0 } : await replaceForwarder(forwardBy, plan, generation, signal);
      const done = await nft.replace({ ...plan, policy: inForce(plan.policy) }, generation, signal);
      for (const other of left) {
        if (other === means) continue;
        await forwarders[other].remove(signal);
        left.delete(other);
      }
      marks = { last: generation, nft: generation, forwarder: generation };
      return { commands: first.commands + done.commands };
    },

    async change(change, generation, signal) {
      const { policy, ...rest } = change;
      if (policy && (policy.forwardBy !== asked?.forwardBy || policy.scheduler !== asked.scheduler))
        throw new FilterRefusedError(
          `the Cluster asks for ${[policy.forwardBy, policy.scheduler].join(' ').trim()} now`,
        );
      const written = { ...rest, ...(policy && { policy: inForce(policy) }) };
      if (means === undefined) return nft.change(written, generation, signal);
      const by = forwarders[means];
      let led = 0;
      const done = await nft.changeAround(
        written,
        generation,
        async () => {
          led = (await by.change(change.forwardings, generation, signal)).commands;
        },
        signal,
      );
      if (done.commands > 0) marks = { ...marks, last: generation, nft: generation };
      if (led > 0) marks = { ...marks, last: generation, forwarder: generation };
      return { commands: done.commands + led };
    },

    async remove(signal) {
      asked = undefined;
      means = undefined;
      await nft.remove(signal);
      for (const other of OTHER_MEANS) await forwarders[other].remove(signal);
      left.clear();
    },

    async present(signal) {
      return (await nft.present(signal)) && (means === undefined || (await forwarders[means].present(signal)));
    },

    async survey(signal) {
      const found = await nft.survey(signal);
      if (means === undefined) return found;
      const led = await forwarders[means].survey(signal);
      const isOurs = found.generation === marks.nft && led.generation === marks.forwarder;
      return { generation: isOurs ? marks.last : undefined, damage: found.damage ?? led.damage };
    },

    async watch(tell, signal) {
      const over = new AbortController();
      using either = joinSignals(signal, over.signal);
      const told = (): void => {
        tell('own-rules');
      };
      const watches = [
        nft.watch(tell, either.signal),
        ...OTHER_MEANS.map((other) => forwarders[other].watch(told, either.signal)),
      ];
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
        : `this node cannot forward by ${asked?.forwardBy ?? 'other means'} as the Cluster asks, and goes on with nftables: ${substitution}`,

    forgetFlows: (flows, signal) => nft.forgetFlows(flows, signal),
    flows: (of, signal) => nft.flows(of, signal),
    forwardDrops: (podRange, signal) => nft.forwardDrops(podRange, signal),
  };
}
