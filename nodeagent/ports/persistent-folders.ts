/** Data that outlives pods, on the node's disk. */
export interface PersistentFolders {
  /** What is kept beside the data of each volume: the volume, as JSON text. */
  records(): Promise<readonly string[]>;
  /**
   * Gives a volume that is held to its size so many bytes, also while pods use it. Idempotent. Throws an Error where
   * there is no room, where it is not made yet, and where it cannot grow while it is in use.
   */
  grow(volume: string, bytes: number, signal: AbortSignal): Promise<void>;
  /**
   * Removes a volume and what is in it; no link is followed, no mount entered. Idempotent. Throws an Error while a pod
   * has it mounted.
   */
  remove(volume: string, signal: AbortSignal): Promise<void>;
}
