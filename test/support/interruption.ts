/**
 * What a process of the tests made, and what would outlive it, is taken away when the process is interrupted. node:test
 * runs no `after` hook then: whoever makes such a thing says here how it goes.
 */
import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';
import { inTime } from './in-time.ts';

/** For one thing. What takes longer is left behind and named. */
const BOUND_MS = 60_000;
const LOOK_EVERY_MS = 500;

interface Closer {
  readonly what: string;
  readonly close: () => unknown;
}

const closers = new Set<Closer>();
const stop = new AbortController();
setMaxListeners(0, stop.signal);
let watching = false;

/** Aborted when this process is interrupted: gives up what is waited for or still being made. */
export const interrupted: AbortSignal = stop.signal;

/**
 * Has `close`, which takes down `what`, run when this process gets SIGINT or SIGTERM, or when the runner of its test
 * file is gone. What was registered last goes first, one at a time; then the process exits with 130 or 143. Gives the
 * function that takes `close` out again. Throws once the process is interrupted: nothing more is to be made then.
 */
export function whenInterrupted(what: string, close: () => unknown): () => void {
  interrupted.throwIfAborted();
  if (!watching) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void closeAll(signal));
    if (process.env['NODE_TEST_CONTEXT'] !== undefined) onceParentIsGone(() => void closeAll('SIGTERM'));
    watching = true;
  }
  const closer = { what, close };
  closers.add(closer);
  return () => void closers.delete(closer);
}

/** Calls `then` when the process that started this one has ended. Keeps nothing alive. */
export function onceParentIsGone(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, LOOK_EVERY_MS).unref();
}

async function closeAll(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  if (interrupted.aborted) return;
  // Nothing else ends this process now: neither the failure of something that is cut off, nor a reader who has left.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, () => undefined);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  stop.abort(new Error(`interrupted by ${signal}`));
  for (let newest = [...closers].at(-1); newest; newest = [...closers].at(-1)) {
    closers.delete(newest);
    await inTime('its end', BOUND_MS, Promise.resolve().then(newest.close)).catch((error: unknown) => {
      process.stderr.write(`left behind: ${newest.what}: ${String(error)}\n`);
    });
  }
  process.exit(128 + constants.signals[signal]);
}
