/** What is taken of the node's disks, and by whom. */
import type { Holding, NodeDisks } from '../core/node/disk.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';

/** The container runtime's word on it. Failures are its RuntimeError. */
export interface RuntimeDisk {
  /** A folder on the file system of images; undefined when the runtime does not say. */
  imageFolder(signal: AbortSignal): Promise<string | undefined>;
  /** Image names and ids of every container of the runtime, whoever made it. */
  imagesInUse(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** What containers wrote outside of volumes, by container id; what the runtime measured last. */
  writtenByContainers(signal: AbortSignal): Promise<ReadonlyMap<string, Holding>>;
}

export interface DiskSpace extends Omit<RuntimeDisk, 'imageFolder'> {
  /** Looks at the file systems. */
  read(signal: AbortSignal): Promise<NodeDisks>;
  /** Holds room on the node's disk that nobody else can take. Idempotent. Holds nothing where it rejects. */
  reserve(bytes: number): Promise<void>;
  /** Gives back half of the room that is held, all of a little. False where there was none. */
  giveBack(): Promise<boolean>;
  /** A pod's volumes on disk, its messages and its logs. `whole` is false where there are more files than are counted. */
  filesOf(pod: PodIdentity): Promise<Holding & { readonly whole: boolean }>;
  /** The same of one container's logs. */
  logsOf(pod: PodIdentity, container: string): Promise<{ readonly bytes: number; readonly whole: boolean }>;
  /** The same of one of its volumes on disk. */
  volumeOf(pod: PodIdentity, volume: string): Promise<{ readonly bytes: number; readonly whole: boolean }>;
}
