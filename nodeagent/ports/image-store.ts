/** Images on the machine. Failures are the container runtime's RuntimeError. */
import type { RegistryLogin } from '../core/image/keyring.ts';
import type { Download } from '../core/image/received.ts';

export interface ImageInfo {
  /** `sha256:...` of the image's configuration. */
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** User id that the image asks to run as; undefined where it names a user or nothing. */
  readonly uid: number | undefined;
  readonly username: string;
}

export interface ImageStore {
  find(image: string, signal: AbortSignal): Promise<ImageInfo | undefined>;
  list(signal: AbortSignal): Promise<readonly ImageInfo[]>;
  /** Answers the image's reference. `login`: as whom its registry is asked; undefined for anybody. */
  pull(image: string, login: RegistryLogin | undefined, signal: AbortSignal): Promise<string>;
  /** What is being downloaded now, and what a pull that was given up has left of it. */
  downloads(signal: AbortSignal): Promise<readonly Download[]>;
  /** Idempotent. */
  remove(image: string, signal: AbortSignal): Promise<void>;
  /**
   * Makes the image of the sandbox's holding process be there, where its registry cannot be reached from the machine.
   */
  ensureSandboxImage(image: string, signal: AbortSignal): Promise<void>;
}
