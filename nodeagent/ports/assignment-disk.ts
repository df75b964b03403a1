/** Where the assignment outlives the agent. Secrets' data goes to memory-backed storage only. */
import type { KubeObject, ObjectKey } from '../../contracts/objects/index.ts';

export interface StoredAssignment {
  readonly epoch: number;
  /** Null before the first assignment, and when Secrets did not survive: then it has to be sent whole. */
  readonly version: string | null;
  readonly node: string;
  readonly objects: readonly KubeObject[];
}

export interface AssignmentChange {
  readonly epoch: number;
  readonly version: string;
  readonly node: string;
  /** Replaces everything. */
  readonly whole: boolean;
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
}

export interface AssignmentDisk {
  /** What was last made durable. Damaged files are put aside and count as nothing. */
  load(): Promise<StoredAssignment>;
  /** Resolves when the change would survive a power cut. One at a time, in order. */
  append(change: AssignmentChange): Promise<void>;
  close(): Promise<void>;
}
