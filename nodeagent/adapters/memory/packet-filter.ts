/** The packet filter as the plan that it was given. */
import { sameData } from '../../core/data-plane/equality.ts';
import type { Flow, StaleFlow } from '../../core/data-plane/flows.ts';
import type {
  Forwarding,
  Frontend,
  PlanChange,
  PlanOwner,
  Protocol,
  ServicePlan,
  Target,
} from '../../core/data-plane/plan.ts';
import {
  FilterRefusedError,
  type FilterDisturbance,
  type FilterSurvey,
  type FilterWrite,
  type ForwardDrop,
  type PacketFilter,
} from '../../ports/packet-filter.ts';

export class MemoryPacketFilter implements PacketFilter {
  /** In force; undefined before the first write, or after someone deleted the rules. */
  plan: ServicePlan | undefined;
  /** What the connection tracker knows. */
  readonly tracked: Flow[] = [];
  readonly forgotten: StaleFlow[] = [];
  /** Writes that changed something. */
  readonly writes: { readonly generation: string; readonly whole: boolean }[] = [];
  /** What it says of itself: forwards by other means than asked. */
  substituted: string | undefined;
  readonly watchers = new Set<(disturbance: FilterDisturbance) => void>();
  private generation: string | undefined;
  private trusted = false;

  async replace(
    { policy, forwardings, guards = new Map() }: ServicePlan,
    generation: string,
    signal: AbortSignal,
  ): Promise<FilterWrite> {
    signal.throwIfAborted();
    this.trusted = true;
    const commands = forwardings.size + guards.size + 1;
    return this.put({ policy, forwardings: merged(new Map(), forwardings), guards }, generation, true, commands);
  }

  async change(change: PlanChange, generation: string, signal: AbortSignal): Promise<FilterWrite> {
    signal.throwIfAborted();
    const { plan } = this;
    if (!this.trusted || plan === undefined) {
      this.trusted = false;
      throw new FilterRefusedError('there is nothing that could be changed');
    }
    const policy = change.policy ?? plan.policy;
    const owners = [...change.forwardings].filter(
      ([owner, list]) => !sameData(list, plan.forwardings.get(owner) ?? []),
    ).length;
    const guarded = [...(change.guards ?? [])].filter(([name, part]) => !sameData(part, plan.guards?.get(name)));
    const commands = owners + guarded.length + Number(!sameData(policy, plan.policy));
    if (commands === 0) return { commands };
    const guards = new Map(plan.guards);
    for (const [name, part] of guarded) {
      if (part) guards.set(name, part);
      else guards.delete(name);
    }
    return this.put(
      { policy, forwardings: merged(plan.forwardings, change.forwardings), guards },
      generation,
      false,
      commands,
    );
  }

  async remove(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.plan = undefined;
  }

  async present(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    return this.plan !== undefined;
  }

  async survey(signal: AbortSignal): Promise<FilterSurvey> {
    signal.throwIfAborted();
    return this.plan === undefined
      ? { generation: undefined, damage: 'the plan is gone' }
      : { generation: this.generation, damage: undefined };
  }

  substitution(): string | undefined {
    return this.substituted;
  }

  async watch(tell: (disturbance: FilterDisturbance) => void, signal: AbortSignal): Promise<never> {
    signal.throwIfAborted();
    this.watchers.add(tell);
    return new Promise((_, reject) => {
      signal.addEventListener(
        'abort',
        () => {
          this.watchers.delete(tell);
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }

  async forgetFlows(flows: readonly StaleFlow[], signal: AbortSignal): Promise<'done'> {
    signal.throwIfAborted();
    this.forgotten.push(...flows);
    return 'done';
  }

  async flows(of: 'UDP' | 'unanswered TCP', signal: AbortSignal): Promise<readonly Flow[]> {
    signal.throwIfAborted();
    return this.tracked.filter((flow) => flow.protocol === (of === 'UDP' ? 'UDP' : 'TCP'));
  }

  async forwardDrops(_podRange: string, signal: AbortSignal): Promise<readonly ForwardDrop[]> {
    signal.throwIfAborted();
    return [];
  }

  /** What somebody with root does. */
  deleteRules(): void {
    this.plan = undefined;
    for (const tell of this.watchers) tell('own-rules');
  }

  /** Who gets new connections to a frontend: addresses and ports. Undefined where nothing is forwarded. */
  leads(protocol: Protocol, frontend: Frontend): readonly string[] | undefined {
    const all = [...(this.plan?.forwardings ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const having = all
      .flatMap(([, list]) => list)
      .filter((f) => f.protocol === protocol && f.frontends.some((other) => sameData(other, frontend)));
    const first = having.find((f) => f.targets.length > 0) ?? having[0];
    return first?.targets.map(({ address, port }: Target) => `${address}:${port}`);
  }

  private put(plan: ServicePlan, generation: string, whole: boolean, commands: number): FilterWrite {
    this.plan = plan;
    this.generation = generation;
    this.writes.push({ generation, whole });
    return { commands };
  }
}

type Forwardings = ReadonlyMap<PlanOwner, readonly Forwarding[]>;

function merged(before: Forwardings, changes: Forwardings): Forwardings {
  return new Map(
    [...before, ...changes].filter(([owner]) => (changes.get(owner) ?? before.get(owner) ?? []).length > 0),
  );
}
