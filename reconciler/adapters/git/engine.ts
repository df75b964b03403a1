/** What the source needs of a Git object database. Two engines provide it: isomorphic-git and the native `git`. */
import type { RawObject } from './raw-objects.ts';

export interface ObjectEngine {
  readonly name: 'isomorphic' | 'native';
  /** The object, or undefined where the repository lacks it. */
  read(oid: string, signal: AbortSignal): Promise<RawObject | undefined>;
  /** Inflated size in bytes, found without inflating the object; undefined where the repository lacks it. */
  size(oid: string, signal: AbortSignal): Promise<number | undefined>;
  /** Full ref names (`refs/heads/main`) and the ids they hold. */
  refs(signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** One ref, resolved to an id. */
  ref(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ids that begin with `prefix` (at least four hex digits). */
  expand(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
  /** What HEAD points at (`refs/heads/main`), or undefined when it is detached. */
  headRef(signal: AbortSignal): Promise<string | undefined>;
  close(): Promise<void>;
}
