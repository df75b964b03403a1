/** `Forwarder` as chains in iptables' table `nat`, by the programs `iptables-restore` and `iptables-save`. */
import type { Family } from '../../../contracts/ip.ts';
import { describeDamage, readNat, type NatListing } from '../../core/iptables/listing.ts';
import { HOOKS } from '../../core/iptables/model.ts';
import { renderChange, renderRemoval, renderWhole } from '../../core/iptables/render.ts';
import { Chains } from '../../core/iptables/ruleset.ts';
import { PROGRAM } from '../../core/iptables/words.ts';
import type { Clock } from '../../ports/clock.ts';
import { DamageWatch } from '../../ports/damage-watch.ts';
import type { Forwarder } from '../../ports/forwarder.ts';
import { FilterRefusedError } from '../../ports/packet-filter.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { explainIptablesFailure } from './stderr.ts';

export interface IptablesSettings {
  readonly family: Family;
  readonly run: RunCommand;
  readonly clock: Clock;
}

/** Seconds that another program may hold iptables' lock (`/run/xtables.lock`; old iptables has one). */
const LOCK_SECONDS = 5;

export function createIptablesForwarder({ family, run, clock }: IptablesSettings): Forwarder {
  const program = PROGRAM[family];
  /** What the kernel has; undefined while unknown. */
  let written: Chains | undefined;
  /** The mark that the last write left. */
  let mark = '';

  const isWritten = (chains: Chains): void => {
    written = chains;
    looks.know(true);
  };

  const isUnknown = (): void => {
    written = undefined;
    looks.know(false);
  };

  const save = async (signal: AbortSignal): Promise<NatListing> => {
    const { code, stdout, stderr } = await run([`${program}-save`, '-t', 'nat'], { signal });
    if (code !== 0) throw new Error(explainIptablesFailure(`${program}-save`, code, stderr));
    return readNat(stdout);
  };

  const restore = async (script: string, signal: AbortSignal): Promise<void> => {
    looks.noteWrite();
    const argv = [`${program}-restore`, '--noflush', '--wait', String(LOCK_SECONDS)];
    const { code, stderr } = await run(argv, { signal, input: script });
    looks.noteWrite();
    if (code !== 0) throw new FilterRefusedError(explainIptablesFailure(argv[0] ?? program, code, stderr));
  };

  const refuseMissing = (error: unknown): never => {
    if (!isMissingProgram(error)) throw error;
    throw new FilterRefusedError(`there is no ${program}-restore on this machine: apt-get install iptables`, {
      cause: error,
    });
  };

  const damageOf = (listing: NatListing): string | undefined => written && describeDamage(written.all, HOOKS, listing);
  // Nobody tells of changes to old iptables.
  const looks = new DamageWatch(clock, async (signal) => damageOf(await save(signal)) !== undefined);

  return {
    async replace({ forwardings }, generation, signal) {
      isUnknown();
      const chains = new Chains(family);
      chains.change(forwardings);
      try {
        const there = await save(signal).catch(refuseMissing);
        await restore(renderWhole(chains.all.values(), generation, there), signal);
      } catch (error) {
        // A kernel without the table cannot list it either.
        if (signal.aborted || !(error instanceof Error)) throw error;
        throw error instanceof FilterRefusedError ? error : new FilterRefusedError(error.message, { cause: error });
      }
      isWritten(chains);
      mark = generation;
      return { commands: chains.all.size };
    },

    async change(forwardings, generation, signal) {
      const chains = written;
      if (chains === undefined) throw new FilterRefusedError('it is not known what is in iptables');
      // From here on, what the kernel has is not known until the transaction is known to be in.
      isUnknown();
      const change = chains.change(forwardings);
      const commands = change.set.length + change.gone.length;
      if (commands > 0) {
        await restore(renderChange(change, mark, generation), signal);
        mark = generation;
      }
      isWritten(chains);
      return { commands };
    },

    async remove(signal) {
      isUnknown();
      try {
        // Without `-t`: naming a table has old iptables make it.
        const { code, stdout } = await run([`${program}-save`], { signal });
        // Where nothing can be listed nothing was written.
        for (const script of code === 0 ? renderRemoval(readNat(stdout)) : []) await restore(script, signal);
      } catch (error) {
        if (!isMissingProgram(error)) throw error;
      }
    },

    async present(signal) {
      const listing = await save(signal);
      // All is listed in any case.
      return listing.generation !== undefined && damageOf(listing) === undefined;
    },

    async survey(signal) {
      const listing = await save(signal);
      return { generation: listing.generation, damage: damageOf(listing) };
    },

    watch: (tell, signal) => looks.watch(tell, signal),
  };
}
