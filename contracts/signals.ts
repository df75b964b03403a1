/**
 * Several abort signals as one. Not `AbortSignal.any`: on Node.js 20 that keeps an entry for every signal it ever made on those it joins, so a
 * long-lived one grows with each call, and a joined time-out that nobody else holds may be collected and then never fires.
 */

/** Aborts with the first of what it joins. Disposing of it lets go of them; it never aborts afterwards. */
export interface JoinedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Use as `using joined = joinSignals(a, b)`, for as long as the work that it may end. */
export function joinSignals(...signals: readonly AbortSignal[]): JoinedSignal {
  const joined = new AbortController();
  const abort = (event: Event): void => { end(event.target as AbortSignal); };
  const letGo = (): void => { for (const signal of signals) signal.removeEventListener('abort', abort); };
  const end = (signal: AbortSignal): void => {
    letGo();
    joined.abort(signal.reason);
  };
  const over = signals.find((signal) => signal.aborted);
  if (over) end(over);
  else for (const signal of signals) signal.addEventListener('abort', abort);
  return { signal: joined.signal, [Symbol.dispose]: letGo };
}

/** The same, and after `ms` of the given sleep with a `TimeoutError`, as `AbortSignal.timeout` has it. */
export function limitSignals(sleep: (ms: number, signal: AbortSignal) => Promise<void>, ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
  const late = new AbortController();
  const over = new AbortController();
  const joined = joinSignals(late.signal, ...signals);
  void sleep(ms, over.signal).then(() => late.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')), () => undefined);
  return {
    signal: joined.signal,
    [Symbol.dispose]: () => {
      over.abort();
      joined[Symbol.dispose]();
    },
  };
}
