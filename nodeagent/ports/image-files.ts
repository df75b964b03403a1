/** Files of images that are on the machine, for volumes. Failures are the container runtime's RuntimeError. */

/** In the words of mount(8). */
export interface FileMount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface ImageFiles {
  /**
   * How to mount the files of an image for one volume of a pod. They stay until {@link ImageFiles.release}, also when the
   * image is removed; what the volume had before is let go. NotFound where the image is not here.
   */
  view(
    volume: { readonly podUid: string; readonly name: string },
    image: string,
    signal: AbortSignal,
  ): Promise<FileMount>;
  /** Lets go of all that the pod's volumes had; nothing of it is mounted any more. Idempotent. */
  release(podUid: string, signal: AbortSignal): Promise<void>;
}
