/** What a controller decided, as plain data. Produced by core, executed by controllers/runtime, shown by the CLI. */
import type { KubeObject, ObjectKey, Stored } from '../../contracts/objects/index.ts';

export type Step =
  | { readonly do: 'create'; readonly object: KubeObject }
  /** Compare-and-set replace of everything but status. */
  | { readonly do: 'update'; readonly object: Stored }
  | { readonly do: 'updateStatus'; readonly object: Stored }
  /**
   * A bound pod is marked (deletionTimestamp) and removed when its node says it is gone; anything else is removed at
   * once. `gone`: the node said so, or there is no such node any more: a bound pod too is removed at once.
   */
  | {
      readonly do: 'delete';
      readonly key: ObjectKey;
      readonly uid: string;
      readonly graceSeconds?: number;
      readonly gone?: true;
    }
  | {
      readonly do: 'event';
      readonly regarding: KubeObject;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    };

/** What one look at one object came to. */
export interface Decision {
  readonly steps: readonly Step[];
  /** Look again after this long even if nothing changes (a deadline, a minReadySeconds). */
  readonly requeueAfterMs?: number;
}
