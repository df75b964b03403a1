/** The node's assignment as the loops read it: the Kubernetes objects this node was given, by key. */
import type { Kind, ObjectAt, ObjectKey, ObjectsByKind } from '../../contracts/objects/index.ts';

export interface AssignmentView {
  /** Null before the first assignment. */
  readonly version: string | null;
  /** Name of this node; empty before the first assignment. */
  readonly node: string;
  get<Key extends ObjectKey>(key: Key): ObjectAt<Key> | undefined;
  /** All of a kind, ordered by key. */
  list<K extends Kind>(kind: K): readonly ObjectsByKind[K][];
}

/**
 * Where the loops get the assignment from. A listener hears the keys that a move to a new version touched (all of them
 * at start).
 */
export interface AssignmentSource {
  current(): AssignmentView;
  onChange(listener: (changed: readonly ObjectKey[]) => void): () => void;
}

/** What the network loop tells of itself; part of the node's report. */
export interface NetworkState {
  /** Assignment version whose rules and routes are in force. */
  readonly version: string | null;
  readonly error: string | null;
}
