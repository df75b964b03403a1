/** Gives out ranges of users and groups to sandboxes, none of them twice at a time. */
import { freeUserIds, userIdsOf } from '../core/pod/user-ids.ts';
import { ANNOTATION } from '../core/pod/identity.ts';
import type { Resolved } from '../core/pod/resolved.ts';
import type { SandboxSummary, UserIds } from '../core/pod/runtime-types.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';

export interface HeldUserIds extends Disposable {
  readonly ids: UserIds;
}

export interface UserIdHolder {
  /**
   * The range that one of the pod's sandboxes has, or one that no sandbox of the machine has. Dispose of it when a
   * sandbox has it, or none will. Rejects where the runtime does not tell its sandboxes.
   */
  hold(ofPod: readonly SandboxSummary[], signal: AbortSignal): Promise<Resolved<HeldUserIds>>;
}

export function createUserIdHolder(runtime: Pick<ContainerRuntime, 'listSandboxes'>): UserIdHolder {
  const held = new Map<symbol, UserIds>();
  /** How many lists are on their way: what is let go of meanwhile may be missing in them. */
  let looking = 0;
  let lately: UserIds[] = [];

  function take(ids: UserIds): HeldUserIds {
    const key = Symbol();
    held.set(key, ids);
    return {
      ids,
      [Symbol.dispose]() {
        if (held.delete(key) && looking > 0) lately.push(ids);
      },
    };
  }

  return {
    async hold(ofPod, signal) {
      const before = ofPod.map(userIdsOf).find((ids) => ids !== undefined);
      if (before) return { ok: true, value: take(before) };
      looking += 1;
      try {
        const sandboxes = await runtime.listSandboxes(undefined, signal);
        const others = [...held.values(), ...lately].map(({ first }) => ({
          annotations: { [ANNOTATION.userIds]: String(first) },
        }));
        const free = freeUserIds([...sandboxes, ...others]);
        return free.ok ? { ok: true, value: take(free.value) } : free;
      } finally {
        looking -= 1;
        if (looking === 0) lately = [];
      }
    },
  };
}
