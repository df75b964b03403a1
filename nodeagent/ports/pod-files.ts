/** A pod's files on the node: volumes, hosts file, termination messages, and logs. */
import type { HostResolver } from '../core/pod/names.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import type { VolumePlan } from '../core/pod/volumes/index.ts';

export interface ContainerFiles {
  /** Replaced in one step where it says something else: what runs keeps the one it has. */
  readonly hostsFile: { readonly path: string; readonly text: string } | undefined;
  readonly terminationFile: string;
  readonly logFolder: string;
  /**
   * Parts of volumes, shown at paths of the agent's own: made where missing, refused where a link leads out of the
   * volume.
   */
  readonly subPaths: readonly { readonly volume: string; readonly subPath: string; readonly target: string }[];
}

export interface PodFiles {
  /** Makes the agent's folders; the one for Secrets is backed by memory afterwards. */
  prepare(signal: AbortSignal): Promise<void>;
  /**
   * Makes volumes as planned. Files of a volume that changed appear all at once. Throws an Error in kubelet's words.
   */
  syncVolumes(plans: readonly VolumePlan[], signal: AbortSignal): Promise<void>;
  /** Whether something is mounted at just this place. */
  isMounted(path: string): Promise<boolean>;
  /** The beginnings of the machine's own hosts file and of what its resolver reads. */
  ofHost(): Promise<{ readonly hosts: string } & HostResolver>;
  prepareContainer(files: ContainerFiles, signal: AbortSignal): Promise<void>;
  /**
   * Milliseconds left of a container's grace, counted from the first time that this was asked, also by an agent before
   * this one, by a clock that never steps.
   */
  graceLeft(
    pod: PodIdentity,
    container: { readonly name: string; readonly id: string },
    graceMs: number,
  ): Promise<number>;
  /** The last 4096 bytes at most; empty where there is no regular file. */
  terminationMessage(path: string): Promise<string>;
  /** Last lines of a container's log, without stamps, at most 80 lines and 2048 bytes. */
  logTail(path: string): Promise<string>;
  /**
   * Unmounts and removes all that is the pod's, and nothing else: no link is followed, no mount entered. Idempotent.
   */
  remove(pod: PodIdentity, signal: AbortSignal): Promise<void>;
  /**
   * Pods that have files here. Of one whose folder of logs was not made, or is gone already, the uid alone is known:
   * name and namespace are empty.
   */
  list(): Promise<readonly PodIdentity[]>;
  /**
   * Removes logs and termination messages of a container's attempts up to `upTo`, but for those in `keep`. Of newer
   * ones nothing is touched: one may be about to be created.
   */
  tidyAttempts(pod: PodIdentity, container: string, upTo: number, keep: ReadonlySet<number>): Promise<void>;
}
