/**
 * Holds a pod's first process back until the rules of this node have the pod's address: those that guard it, and those
 * of others that name it.
 */
import { unlessAborted } from '../../contracts/signals.ts';
import type { ObjectKey } from '../../contracts/objects/key.ts';
import type { AssignmentSource } from '../core/assignment.ts';
import type { Guards } from '../core/data-plane/policy/guards.ts';
import type { Clock } from '../ports/clock.ts';

/** The guards are asked only whom they know: they are in force while the gate has them. */
export type KnownGuards = Pick<Guards, 'knows'>;

export interface PolicyGate {
  /** What the rules in force guard; undefined while that is not known. */
  inForce(guards: KnownGuards | undefined): void;
  /**
   * Resolves once the rules in force have the pod with these addresses; at once where the node was told no policy. Rejects
   * when they have not within ten seconds, or when the signal aborts.
   */
  passed(pod: ObjectKey<'Pod'>, uid: string, addresses: readonly string[], signal: AbortSignal): Promise<void>;
}

const PATIENCE_MS = 10_000;

/** For agents that leave the network alone. */
export const OPEN_GATE: PolicyGate = { inForce: () => undefined, passed: () => Promise.resolve() };

export function createPolicyGate(assignment: AssignmentSource, clock: Clock): PolicyGate {
  let known: KnownGuards | undefined;
  const waiting = new Set<() => void>();

  return {
    inForce(guards) {
      known = guards;
      if (guards) for (const look of [...waiting]) look();
    },

    async passed(pod, uid, addresses, signal) {
      const isKnown = (): boolean => addresses.every((address) => known?.knows(pod, uid, address) === true);
      if (assignment.current().list('NetworkPolicy').length === 0) return;
      if (isKnown()) return;
      using limit = clock.deadline(PATIENCE_MS, signal);
      let look: () => void = () => undefined;
      const passed = new Promise<void>((resolve) => {
        look = () => {
          if (isKnown()) resolve();
        };
        waiting.add(look);
      });
      try {
        await unlessAborted(limit.signal, passed);
      } catch (cause) {
        signal.throwIfAborted();
        throw new Error('the rules of NetworkPolicies for this pod are not in force yet', { cause });
      } finally {
        waiting.delete(look);
      }
    },
  };
}
