/**
 * Keeps the node's memory and processes from running out, as a kubelet does: short of one of them, the node says so and
 * gives up one pod after another. Memory goes before processes: without it nothing else can be done.
 */
import { errorText } from '../../contracts/errors.ts';
import type { Pod } from '../../contracts/objects/index.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import { requestsOf } from '../../contracts/objects/pod-requests.ts';
import { parseQuantity } from '../../contracts/objects/quantity-value.ts';
import { readKey } from '../../contracts/objects/own-key.ts';
import type { Pressure } from '../../contracts/objects/taints.ts';
import { podToEvict, type Candidate } from '../core/node/eviction.ts';
import {
  evictionMessage,
  shortageOfMemory,
  shortageOfPids,
  type ContainerMemory,
  type Shortage,
} from '../core/node/headroom.ts';
import { afterLook, NOT_LOOKED, type PressureState, type PressureWatch } from '../core/node/pressure.ts';
import { identityOf } from '../core/pod/objects.ts';
import type { Clock } from '../ports/clock.ts';
import type { HeadroomMeter } from '../ports/headroom.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';
import type { Evictor } from './evictor.ts';
import type { PodManager } from './pod-manager.ts';
import { podsToRun, priorityIn } from './pods-to-run.ts';
import type { StatusHub } from './status-hub.ts';

export interface PressureKeeperDeps {
  readonly meter: HeadroomMeter;
  readonly assignment: AssignmentStore;
  readonly hub: Pick<StatusHub, 'statuses'>;
  readonly pods: Pick<PodManager, 'observed'>;
  readonly evictor: Evictor;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after the first look, and when that becomes another. */
  readonly onState: (pressure: Pressure, state: PressureState) => void;
}

/** A pod may take gigabytes in the ten seconds that a kubelet lets pass. */
const LOOK_EVERY_MS = 2_000;

/** A pod that may go, and what to tell of its containers. */
interface Held extends Candidate {
  readonly containers: readonly ContainerMemory[];
}

export function startPressureKeeper(deps: PressureKeeperDeps): { close(): Promise<void> } {
  const { meter, assignment, hub, evictor, clock, log } = deps;
  const closing = new AbortController();
  const watches: Record<'MemoryPressure' | 'PIDPressure', PressureWatch> = {
    MemoryPressure: NOT_LOOKED,
    PIDPressure: NOT_LOOKED,
  };
  let trouble = '';

  function tell(pressure: keyof typeof watches, shortage: Shortage | undefined, now: number): void {
    const what = pressure === 'MemoryPressure' ? 'memory' : 'process ids';
    const seen = shortage
      ? { pressure: true, message: `the node is short of ${what}` }
      : { pressure: false, message: `the node has ${what} to spare` };
    const before = watches[pressure].state;
    const watch = afterLook(watches[pressure], seen, now);
    watches[pressure] = watch;
    if (!watch.state || watch.state.message === before?.message) return;
    if (watch.state.pressure || before) log.warn('node pressure', { detail: watch.state.message });
    deps.onState(pressure, watch.state);
  }

  async function holding(shortage: Shortage): Promise<readonly Held[]> {
    const priority = priorityIn(assignment);
    const pods = podsToRun(assignment, hub).map((pod) => ({ pod, uid: identityOf(pod).uid, priority: priority(pod) }));
    if (shortage.resource === 'pids')
      return Promise.all(
        pods.map(async ({ uid, priority }) => ({
          uid,
          priority,
          used: await meter.processesOf(uid),
          requested: 0,
          containers: [],
        })),
      );
    const measured = await meter.containers(closing.signal);
    return pods.map(({ pod, uid, priority }) => {
      const containers = measured
        .filter(({ podUid }) => podUid === uid)
        .map(({ name, memoryBytes }) => ({ name, used: memoryBytes, requested: requestOf(pod, name) }));
      const runs = deps.pods.observed(uid)?.containers.some(({ state }) => state === 'running') === true;
      const unknown = runs && containers.length === 0;
      return {
        uid,
        priority,
        used: unknown ? undefined : containers.reduce((sum, { used }) => sum + used, 0),
        requested: requestsOf(pod).get('memory') ?? 0,
        containers,
      };
    });
  }

  async function evictOne(shortage: Shortage): Promise<void> {
    const chosen = podToEvict(await holding(shortage), shortage.resource === 'memory' ? 'requests' : 'priority');
    if (!chosen || closing.signal.aborted) return;
    log.warn('pod is evicted', { uid: chosen.uid, resource: shortage.resource, used: chosen.used });
    evictor.evict(chosen.uid, evictionMessage(shortage, chosen.containers));
  }

  async function pass(): Promise<void> {
    const room = await meter.read();
    const now = clock.monotonic();
    const [memory, pids] = [shortageOfMemory(room), shortageOfPids(room)];
    tell('MemoryPressure', memory, now);
    tell('PIDPressure', pids, now);
    const shortage = memory ?? pids;
    if (shortage && !evictor.isBusy()) await evictOne(shortage);
    trouble = '';
  }

  function complain(cause: unknown): void {
    const detail = errorText(cause);
    if (!closing.signal.aborted && detail !== trouble)
      log.warn('memory and processes of the node cannot be kept', { detail });
    trouble = detail;
  }

  return startBeat({ clock, pauseMs: LOOK_EVERY_MS, closing, look: () => pass().catch(complain) });
}

function requestOf(pod: Pod, container: string): number {
  const resources = everyContainer(pod.spec).find(({ name }) => name === container)?.resources;
  const quantity = readKey(resources?.requests as Readonly<Record<string, string>> | undefined, 'memory');
  return quantity === undefined ? 0 : parseQuantity(quantity);
}
