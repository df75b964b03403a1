/** Gives back the addresses of sandboxes that are gone, so that the node's pod range does not run dry. */
import { errorText } from '../../contracts/errors.ts';
import { staleReservations, type Strangers } from '../core/cni/reservations.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';
import type { Log } from '../ports/log.ts';
import type { PodNetwork } from '../ports/pod-network.ts';

export interface AddressKeeperDeps {
  readonly network: PodNetwork;
  readonly runtime: Pick<ContainerRuntime, 'everySandbox' | 'health'>;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 60_000;
/** Longer than the four minutes after which a sandbox that is being made is given up, here and by a kubelet. */
export const SANDBOX_PATIENCE_MS = 300_000;
/** Released at one look; the others are at the next. */
const MOST_AT_ONCE = 64;

/** One look after another over the same addresses; each tells how many it gave back. */
export function createAddressSweep({ network, runtime, clock, log }: AddressKeeperDeps) {
  let strangers: Strangers = new Map();
  /** Addresses of gone sandboxes that something still uses: told once. */
  let told: ReadonlySet<string> = new Set();
  return async (signal: AbortSignal): Promise<number> => {
    // In this order: a sandbox that ends in between is still known.
    const reservations = await network.reservations(signal);
    const known = await runtime.everySandbox(signal);
    const found = staleReservations(strangers, reservations, known, clock.monotonic(), SANDBOX_PATIENCE_MS);
    strangers = found.strangers;
    const inUse = new Set<string>();
    let released = 0;
    const { networkPlugins } = found.stale.length > 0 ? await runtime.health(signal) : { networkPlugins: '' };
    for (const reservation of found.stale.slice(0, MOST_AT_ONCE)) {
      if ((await network.release(reservation, networkPlugins, signal)) === 'released') released += 1;
      else inUse.add(reservation.address);
    }
    const fresh = [...inUse].filter((address) => !told.has(address));
    if (fresh.length > 0) log.warn('addresses of unknown sandboxes are still in use', { addresses: fresh.join(' ') });
    if (released > 0) log.info('addresses of gone sandboxes given back', { addresses: released });
    told = inUse;
    return released;
  };
}

/** Looks now and at a slow beat. */
export function startAddressKeeper(deps: AddressKeeperDeps): { close(): Promise<void> } {
  const closing = new AbortController();
  const sweep = createAddressSweep(deps);
  let trouble = '';

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await sweep(closing.signal);
        trouble = '';
      } catch (cause) {
        const detail = errorText(cause);
        if (!closing.signal.aborted && detail !== trouble)
          deps.log.warn('addresses of gone sandboxes cannot be looked for', { detail });
        trouble = detail;
      }
      await deps.clock.sleep(LOOK_EVERY_MS, closing.signal).catch(() => undefined);
    }
  }

  const done = run();
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}
