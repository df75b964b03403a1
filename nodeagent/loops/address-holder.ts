/**
 * Keeps the addresses of load balancers that this machine holds: asks those before it in an address's order whether they
 * are there, and tells the neighbours of what it holds. The network loop gives the machine the addresses.
 */
import { errorText } from '../../contracts/errors.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { Service } from '../../contracts/objects/index.ts';
import type { AssignmentSource, AssignmentView } from '../core/assignment.ts';
import { ownAddress } from '../core/data-plane/network.ts';
import { ServiceIndex } from '../core/data-plane/service-index.ts';
import { announcedAddresses, holds, watchedBy, type AnnouncedAddress } from '../core/load-balancer/holders.ts';
import type { Clock } from '../ports/clock.ts';
import type { Neighbourhood } from '../ports/neighbourhood.ts';
import type { HeldAddresses } from './held-addresses.ts';
import type { NetworkLog } from './network-log.ts';
import { createWaker } from './waker.ts';

export interface AddressHolderDeps {
  readonly assignment: AssignmentSource;
  readonly neighbourhood: Neighbourhood;
  readonly clock: Clock;
  readonly log: NetworkLog;
  /** Addresses that the machine has as the agent starts. */
  readonly before?: readonly string[];
}

export interface AddressHolder extends HeldAddresses {
  close(): Promise<void>;
}

/** A node that is gone is known as such after three tries: 1.2 s at most. */
const TRY_MS = 300;
const PAUSE_MS = 100;
const TRIES = 3;
/** A try that took longer than it may says that this machine is busy, and nothing of the other one. */
const LATE_MS = 100;
/** When neighbours are told of an address that came, and again, as one of them may have missed it. */
const BURST_MS = [0, 1000, 2000, 4000];
/** Again and again, for those that heard another one in between. */
const REPEAT_MS = 15_000;
const TICK_MS = 1000;
/** Programs started in one round: with more addresses than that, a repetition takes longer. */
const MOST_PER_TICK = 20;

interface Watched {
  failures: number;
  /** It answered once, or often enough did not. */
  isKnown: boolean;
  readonly end: AbortController;
  readonly done: Promise<void>;
}

interface Told {
  readonly since: number;
  count: number;
  last: number;
}

export function startAddressHolder({
  assignment,
  neighbourhood,
  clock,
  log,
  before = [],
}: AddressHolderDeps): AddressHolder {
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  const balancers = new Map<ObjectKey<'Service'>, Service>();
  /** Of the balancers, those whose address goes where their endpoints are. */
  const keepers = new Set<ObjectKey<'Service'>>();
  /** Kept up while there are such. */
  const index = new ServiceIndex();
  let isIndexed = false;
  const watching = new Map<string, Watched>();
  /** What an agent before this one held, for as long as it is not known who is there. */
  const inherited = new Set(before);
  let announced: readonly AnnouncedAddress[] = [];
  let held: readonly string[] = [];
  const told = new Map<string, Told>();
  const waker = createWaker(clock);

  const isReachable = (node: string): boolean => (watching.get(node)?.failures ?? 0) < TRIES;

  const isUnknown = (node: string): boolean => watching.get(node)?.isKnown !== true;

  const settle = (): void => {
    const self = assignment.current().node;
    const next = announced
      .filter((one) =>
        holds(one, self, (node) => isReachable(node) && !(inherited.has(one.address) && isUnknown(node))),
      )
      .map(({ address }) => address);
    if (next.join() === held.join()) return;
    log('info', 'addresses of load balancers that this machine holds', { addresses: next.join(', ') || 'none' });
    held = next;
    for (const listener of listeners) listener();
  };

  const watch = async (node: string, address: string, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const began = clock.monotonic();
      const within = clock.deadline(TRY_MS, signal);
      const answered = await neighbourhood.reaches(address, within.signal).finally(() => {
        within[Symbol.dispose]();
      });
      const entry = watching.get(node);
      if (signal.aborted || entry === undefined) return;
      const wasLate = clock.monotonic() - began > TRY_MS + LATE_MS;
      if (answered || !wasLate) {
        const before = [entry.isKnown, isReachable(node)].join();
        entry.failures = answered ? 0 : entry.failures + 1;
        entry.isKnown ||= answered || entry.failures >= TRIES;
        if ([entry.isKnown, isReachable(node)].join() !== before) settle();
      }
      await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    }
  };

  const decide = (view: AssignmentView): void => {
    const services = [...balancers.values()];
    announced =
      services.length === 0
        ? []
        : announcedAddresses({
            services,
            slices: [...keepers].flatMap((key) => index.slices(view, key)),
            pools: view.list('IPAddressPool'),
            advertisements: view.list('L2Advertisement'),
            nodes: view.list('Node'),
          });
    const wanted = watchedBy(view.node, announced);
    for (const [node, { end }] of watching)
      if (!wanted.has(node)) {
        end.abort();
        watching.delete(node);
      }
    for (const [node, address] of wanted) {
      if (watching.has(node)) continue;
      const end = new AbortController();
      const entry = { failures: 0, isKnown: false, end, done: Promise.resolve() };
      watching.set(node, entry);
      const done = watch(node, address, end.signal).catch((error: unknown) => {
        log('error', 'cannot watch a node', { node, reason: errorText(error) });
      });
      watching.set(node, Object.assign(entry, { done }));
    }
    settle();
  };

  /** Whether the change may be one of who holds what; that of a slice is looked at apart. */
  const note = (view: AssignmentView, key: ObjectKey): boolean => {
    if (!isKeyOf(key, 'Service')) return isKeyOf(key, 'Node', 'IPAddressPool', 'L2Advertisement') && balancers.size > 0;
    const service = view.get(key);
    if (service?.spec.type !== 'LoadBalancer') {
      keepers.delete(key);
      return balancers.delete(key);
    }
    balancers.set(key, service);
    if (service.spec.externalTrafficPolicy === 'Local') keepers.add(key);
    else keepers.delete(key);
    return true;
  };

  /** Whether endpoints of a keeper changed. */
  const noteEndpoints = (view: AssignmentView, changed: readonly ObjectKey[]): boolean => {
    const wasIndexed = isIndexed;
    isIndexed = keepers.size > 0;
    if (!isIndexed) return false;
    const concerned = wasIndexed ? index.update(view, changed) : index.reset(view);
    return [...concerned].some((key) => keepers.has(key));
  };

  const onAssignment = (changed: readonly ObjectKey[]): void => {
    const view = assignment.current();
    if (view.version === null) return;
    let concerned = false;
    for (const key of changed) concerned = note(view, key) || concerned;
    concerned = noteEndpoints(view, changed) || concerned;
    if (concerned) decide(view);
  };

  const announce = async (): Promise<void> => {
    const own = ownAddress(assignment.current());
    if (own === undefined) return;
    const now = clock.monotonic();
    const due = [...told].filter(([, { since, count, last }]) => {
      const next = BURST_MS[count];
      return next === undefined ? now - last >= REPEAT_MS : now - since >= next;
    });
    for (const [address, entry] of due.slice(0, MOST_PER_TICK)) {
      entry.count += 1;
      entry.last = now;
      const devices = announced.find((one) => one.address === address)?.devices ?? [];
      if ((await neighbourhood.announce(address, devices, own, stop.signal)) === 'unsupported' && entry.count === 1)
        log('warn', 'neighbours are not told of an address that moved here: arping is not installed (iputils-arping)', {
          address,
        });
    }
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await announce();
      } catch (error) {
        if (!stop.signal.aborted) log('warn', 'cannot tell neighbours of an address', { reason: errorText(error) });
      }
      await waker.until(told.size === 0 ? undefined : clock.monotonic() + TICK_MS);
    }
  };

  const unsubscribe = assignment.onChange(onAssignment);
  const view = assignment.current();
  if (view.version !== null)
    onAssignment(view.list('Service').map(({ metadata }) => objectKey('Service', metadata.namespace, metadata.name)));
  const running = run();

  return {
    current: () => held,
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    inForce(addresses) {
      for (const address of told.keys()) if (!addresses.includes(address)) told.delete(address);
      const fresh = addresses.filter((address) => !told.has(address));
      for (const address of fresh) told.set(address, { since: clock.monotonic(), count: 0, last: 0 });
      if (fresh.length > 0) waker.wake();
    },
    async close() {
      unsubscribe();
      stop.abort(new Error('the holder of addresses is closed'));
      waker.wake();
      for (const { end } of watching.values()) end.abort();
      await Promise.all([running, ...[...watching.values()].map(({ done }) => done)]);
    },
  };
}
