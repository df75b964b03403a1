/** What the source needs of a Git object database. Two engines provide it: isomorphic-git and the native `git`. */
import { onAbort } from '../../../contracts/signals.ts';
import { type ErrorCode, RetryableError } from '../../core/errors.ts';
import type { RawObject } from './raw-objects.ts';

/**
 * Objects by id. `read` and `size` throw RetryableError `ObjectUnreadable` for an object that is there but damaged.
 * Every answer comes, or the call rejects when its signal does.
 */
export interface ObjectEngine {
  readonly name: 'isomorphic' | 'native';
  /** The object, or undefined where the repository lacks it. */
  read(oid: string, signal: AbortSignal): Promise<RawObject | undefined>;
  /** Inflated size in bytes, found without inflating the object; undefined where the repository lacks it. */
  size(oid: string, signal: AbortSignal): Promise<number | undefined>;
  /** Whether there is any branch or tag, at a cost that does not depend on what they point at. */
  hasRefs(signal: AbortSignal): Promise<boolean>;
  /** Names of all tags, without `refs/tags/`. */
  tags(signal: AbortSignal): Promise<readonly string[]>;
  /** One ref, resolved to an id. */
  ref(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ids that begin with `prefix` (at least four hex digits). */
  expand(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Drops what is open and remembered; a later question opens it anew. */
  close(): Promise<void>;
}

/** Codes for a repository that answers and is not whole. */
export const DAMAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ObjectMissing', 'ObjectUnreadable']);

/** An object whose bytes are damaged or may not be read. Somebody may repair it, so it is asked for again. */
export function unreadable(oid: string, gitdir: string, cause: unknown): RetryableError {
  const why = cause instanceof Error ? (cause.message.trim().split('\n', 1)[0] ?? '') : String(cause);
  return new RetryableError(
    'ObjectUnreadable',
    `object ${oid} in ${gitdir} is damaged: ${why}; see \`git fsck\` there, and put the object back from a clone that has it`,
    { cause },
  );
}

/** An object that another one names, and that is not there. */
export function missing(type: 'blob' | 'tree', oid: string): RetryableError {
  return new RetryableError(
    'ObjectMissing',
    `${type} ${oid} is missing from the repository: see \`git fsck\` there, and put the object back from a clone that has it`,
  );
}

/** The engine with every wait ended by its signal, whatever the disk or a child process does. */
export function interruptible(engine: ObjectEngine): ObjectEngine {
  return {
    name: engine.name,
    read: (oid, signal) => untilAborted(engine.read(oid, signal), signal),
    size: (oid, signal) => untilAborted(engine.size(oid, signal), signal),
    hasRefs: (signal) => untilAborted(engine.hasRefs(signal), signal),
    tags: (signal) => untilAborted(engine.tags(signal), signal),
    ref: (name, signal) => untilAborted(engine.ref(name, signal), signal),
    expand: (prefix, signal) => untilAborted(engine.expand(prefix, signal), signal),
    close: () => engine.close(),
  };
}

/** `answer`, or a rejection with the signal's reason when that fires first. */
function untilAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    const letGo = onAbort(signal, abort);
    answer.then(resolve, reject).finally(letGo);
  });
}
