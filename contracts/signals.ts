/**
 * Several abort signals as one. Not `AbortSignal.any`: on Node.js 20 that keeps an entry for every signal it ever made
 * on those it joins, so a long-lived one grows with each call, and a joined time-out that nobody else holds may be
 * collected and then never fires.
 */
import { asError } from './errors.ts';
import type { StartTimer } from './timers.ts';

/** Aborts with the first of what it joins. Disposing of it lets go of them; it never aborts afterwards. */
export interface JoinedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Who listens to a signal through {@link onAbort}. */
const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `listener` once when the signal aborts, not where it has aborted before; the answer lets go of it. All share
 * one listener of the signal: many requests may wait under that of a whole process, and Node.js takes the eleventh
 * listener for a leak.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const shared = listeners.get(signal) ?? shareListener(signal);
  shared.add(listener);
  return () => {
    shared.delete(listener);
    if (shared.size === 0 && listeners.get(signal) === shared) {
      listeners.delete(signal);
      signal.removeEventListener('abort', callAll);
    }
  };
}

function shareListener(signal: AbortSignal): Set<() => void> {
  const shared = new Set<() => void>();
  listeners.set(signal, shared);
  signal.addEventListener('abort', callAll, { once: true });
  return shared;
}

function callAll(event: Event): void {
  for (const listener of listeners.get(event.target as AbortSignal) ?? []) listener();
}

/** Use as `using joined = joinSignals(a, b)`, for as long as the work that it may end. */
export function joinSignals(...signals: readonly AbortSignal[]): JoinedSignal {
  const joined = new AbortController();
  const lettingGo: (() => void)[] = [];
  const letGo = (): void => {
    for (const one of lettingGo.splice(0)) one();
  };
  const end = (signal: AbortSignal): void => {
    letGo();
    joined.abort(signal.reason);
  };
  const over = signals.find((signal) => signal.aborted);
  if (over) end(over);
  else
    for (const signal of signals)
      lettingGo.push(
        onAbort(signal, () => {
          end(signal);
        }),
      );
  return { signal: joined.signal, [Symbol.dispose]: letGo };
}

/**
 * The same, and after `ms` with a `TimeoutError`, as `AbortSignal.timeout` has it. `after` calls a function then, unless
 * its answer is called before: most deadlines are let go of, and should cost no rejected promise.
 */
export function limitSignals(after: StartTimer, ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
  const late = new AbortController();
  const joined = joinSignals(late.signal, ...signals);
  const callOff = after(ms, () => {
    late.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError'));
  });
  return {
    signal: joined.signal,
    [Symbol.dispose]: () => {
      callOff();
      joined[Symbol.dispose]();
    },
  };
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. Any number may wait under one signal. */
export async function pause(after: StartTimer, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const callOff = after(ms, () => {
      letGo?.();
      resolve();
    });
    const letGo =
      signal &&
      onAbort(signal, () => {
        letGo?.();
        callOff();
        reject(asError(signal.reason));
      });
  });
}

/**
 * What `work` gives, or the signal's reason as a rejection as soon as it aborts: for work that does not look at the
 * signal, and then goes on unheard.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let letGo = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => {
      reject(asError(signal.reason));
    };
    if (signal.aborted) abort();
    else letGo = onAbort(signal, abort);
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    letGo();
  }
}
