/** Whether something that failed may be tried again; by the monotonic clock. */
import type { PodMemory } from './memory.ts';

export type Due = { readonly now: true } | { readonly now: false; readonly at: number };

export function isPullDue(memory: PodMemory, container: string, now: number): Due {
  const image = memory.images.get(container);
  return image?.ready === false ? dueAt(image.at + image.pauseMs, now) : { now: true };
}

export function isStartDue(memory: PodMemory, container: string, now: number): Due {
  const failure = memory.starts.get(container);
  return failure ? dueAt(failure.at + failure.pauseMs, now) : { now: true };
}

export function isResizeDue(memory: PodMemory, container: string, now: number): Due {
  const failure = memory.resizes.get(container);
  return failure ? dueAt(failure.at + failure.pauseMs, now) : { now: true };
}

function dueAt(at: number, now: number): Due {
  return at <= now ? { now: true } : { now: false, at };
}
