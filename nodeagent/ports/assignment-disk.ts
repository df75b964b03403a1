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

/** The disk has no room for a change. Nothing of it was kept. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';
  constructor(folder: string, options?: { cause?: unknown }) {
    super(
      `the disk that holds ${folder} is full: changes that bring no pod are still taken while the reserve lasts`,
      options,
    );
  }
}

export interface AssignmentDisk {
  /**
   * What was last made durable. What is damaged is put aside: of a journal its lines from the first damaged one on, of
   * a snapshot all. The epoch is the highest that was ever appended, whatever else is lost.
   */
  load(): Promise<StoredAssignment>;
  /**
   * Resolves when the change would survive a power cut; when it rejects, nothing of it is kept. One at a time, in
   * order. Throws {@link DiskFullError}; on a full disk, a change that brings no new pod still finds room in a reserve.
   */
  append(change: AssignmentChange): Promise<void>;
  close(): Promise<void>;
}
