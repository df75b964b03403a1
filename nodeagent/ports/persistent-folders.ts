/** Data that outlives pods, on the node's disk. */
export interface PersistentFolders {
  /** What is kept beside the data of each volume: the volume, as JSON text. */
  records(): Promise<readonly string[]>;
  /**
   * Removes a volume and what is in it; no link is followed, no mount entered. Idempotent. Throws an Error while a pod
   * has it mounted.
   */
  remove(volume: string, signal: AbortSignal): Promise<void>;
}
