/** Gives back what sandboxes that are gone have left: their addresses, so that the node's pod range does not run dry, and limits. */
import { errorText } from '../../contracts/errors.ts';
import { staleReservations, type Strangers } from '../core/cni/reservations.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';
import type { Log } from '../ports/log.ts';
import type { PodNetwork } from '../ports/pod-network.ts';
import { startBeat } from './beat.ts';

export interface AddressKeeperDeps {
  readonly network: PodNetwork;
  readonly runtime: Pick<ContainerRuntime, 'everySandbox' | 'health'>;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 60_000;
/** Longer than the four minutes after which a sandbox that is being made is given up, here and by a kubelet. */
export const SANDBOX_PATIENCE_MS = 300_000;
/** Tried at one look; the others are at the next. */
const MOST_AT_ONCE = 64;

/**
 * One look after another over the same addresses; each tells how many it gave back. One that cannot be given back holds
 * up no other.
 */
export function createAddressSweep({ network, runtime, clock, log }: AddressKeeperDeps) {
  let strangers: Strangers = new Map();
  /** Why addresses of gone sandboxes are not given back; the one tried longest ago first. */
  const kept = new Map<string, string>();

  /** Undefined when it was given back. */
  async function failureOf(release: Promise<'released' | 'in use'>, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await release) === 'released' ? undefined : 'it is still in use';
    } catch (cause) {
      signal.throwIfAborted();
      return errorText(cause);
    }
  }

  return async (signal: AbortSignal): Promise<number> => {
    // In this order: a sandbox that ends in between is still known.
    const reservations = await network.reservations(signal);
    const known = await runtime.everySandbox(signal);
    const found = staleReservations(strangers, reservations, known, clock.monotonic(), SANDBOX_PATIENCE_MS);
    strangers = found.strangers;
    const stale = new Map(found.stale.map((one) => [one.address, one]));
    for (const address of [...kept.keys()]) if (!stale.has(address)) kept.delete(address);
    if (stale.size === 0) return 0;

    const { networkPlugins } = await runtime.health(signal);
    const untried = found.stale.filter(({ address }) => !kept.has(address));
    const inTurn = [...untried, ...[...kept.keys()].flatMap((address) => stale.get(address) ?? [])];
    let released = 0;
    for (const reservation of inTurn.slice(0, MOST_AT_ONCE)) {
      const { address } = reservation;
      const detail = await failureOf(network.release(reservation, networkPlugins, signal), signal);
      const before = kept.get(address);
      kept.delete(address);
      if (detail === undefined) released += 1;
      else kept.set(address, detail);
      if (detail !== undefined && detail !== before)
        log.warn('the address of a gone sandbox is not given back', { address, detail });
    }
    if (released > 0) log.info('addresses of gone sandboxes given back', { addresses: released });
    return released;
  };
}

/** Looks now and at a slow beat. */
export function startAddressKeeper(deps: AddressKeeperDeps): { close(): Promise<void> } {
  const closing = new AbortController();
  const sweep = createAddressSweep(deps);
  let trouble = '';

  async function look(): Promise<void> {
    try {
      await sweep(closing.signal);
      await deps.network.removeStaleLimits(closing.signal);
      trouble = '';
    } catch (cause) {
      const detail = errorText(cause);
      if (!closing.signal.aborted && detail !== trouble)
        deps.log.warn('what gone sandboxes left cannot be looked for', { detail });
      trouble = detail;
    }
  }

  return startBeat({ clock: deps.clock, pauseMs: LOOK_EVERY_MS, closing, look });
}
