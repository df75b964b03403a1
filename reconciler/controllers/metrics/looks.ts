/** Looks at what nodes take, one after the other of each: two make a sample. */
import type { UsageReport } from '../../../contracts/agent/index.ts';
import { RetryableError } from '../../core/errors.ts';
import { sampleOf } from '../../core/metrics/sample.ts';
import type { NodeSample } from '../../core/metrics/shapes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StoreView } from '../runtime/controller.ts';

/** How an agent is asked; `AgentClient` does. */
export interface UsageSource {
  usage(signal: AbortSignal): Promise<UsageReport>;
}

export interface LooksDeps {
  readonly view: Pick<StoreView, 'podsOnNode'>;
  /** Undefined for a node that is not spoken to from here, now. */
  readonly sourceOf: (node: string) => UsageSource | undefined;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

interface Look {
  readonly report: UsageReport;
  /** By our monotonic clock. */
  readonly at: number;
}

/** Two looks that are closer than this make no rate. */
const APART_MS = 1_000;

export class Looks {
  readonly #deps: LooksDeps;
  /** Of each node the last two that are apart, the newer first: whoever comes right after a look counts from the other. */
  readonly #last = new Map<string, readonly Look[]>();

  constructor(deps: LooksDeps) {
    this.#deps = deps;
  }

  /**
   * The sample over the time since the last look at this node that is a second old; an empty one where there is none.
   * Throws what the connection throws, and RetryableError `NodeUnreachable` where there is none.
   */
  async at(node: string, signal: AbortSignal): Promise<NodeSample> {
    const { view, sourceOf, clock } = this.#deps;
    const source = sourceOf(node);
    if (!source) throw new RetryableError('NodeUnreachable', `there is no connection to node ${node}`);
    const report = await source.usage(signal);
    const previous = this.#apart(node)?.report;
    const newest = this.#last.get(node)?.[0];
    const at = clock.monotonic();
    if (!newest || at - newest.at >= APART_MS)
      this.#last.set(node, newest ? [{ report, at }, newest] : [{ report, at }]);
    const pods = view.podsOnNode(node).map(({ metadata }) => ({ ...metadata, namespace: metadata.namespace ?? '' }));
    return sampleOf(previous, report, { node, pods, takenAt: clock.now() });
  }

  /** Whether the next look at the node has one to count from. */
  hasEarlier(node: string): boolean {
    return this.#apart(node) !== undefined;
  }

  /** Forgets the nodes of which it says false; told is how old the newest look is. */
  keep(isKept: (node: string, ageMs: number) => boolean): void {
    const now = this.#deps.clock.monotonic();
    for (const [node, [newest]] of [...this.#last])
      if (!newest || !isKept(node, now - newest.at)) this.#last.delete(node);
  }

  #apart(node: string): Look | undefined {
    const now = this.#deps.clock.monotonic();
    return this.#last.get(node)?.find(({ at }) => now - at >= APART_MS);
  }
}
