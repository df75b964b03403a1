/** Data that outlives pods, on the node's disk. */
export interface PersistentFolders {
  /** What is kept beside the data of each volume: the volume, as JSON text. */
  records(): Promise<readonly string[]>;
  /**
   * Bytes of the disk for volumes of these names that are held to their sizes: what they take already, and what there is
   * room for besides.
   */
  room(volumes: readonly string[]): Promise<number>;
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
