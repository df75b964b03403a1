/** What a pod's worker can do. Steps of one plan do not depend on each other; starts keep their order. */
import type { Container, LifecycleHandler } from '../../../contracts/objects/index.ts';
import type { Attempt } from './container-config.ts';
import type { Resources } from './allocation.ts';
import type { PodLimits } from './pod-limits.ts';

export type KillReason =
  'Deleted' | 'Unhealthy' | 'DeadlineExceeded' | 'Evicted' | 'SandboxChanged' | 'PodOver' | 'Resized' | 'NodeShutdown';

export type PodStep =
  | { readonly do: 'syncVolumes'; readonly version: string }
  | {
      readonly do: 'ensureImage';
      readonly container: string;
      readonly image: string;
      readonly policy: Container['imagePullPolicy'];
    }
  /** `address`: see `addressToKeep`. Where it cannot be had, another is taken in the same step. */
  | { readonly do: 'runSandbox'; readonly attempt: number; readonly address: string | undefined }
  | {
      readonly do: 'startContainer';
      readonly container: string;
      readonly sandboxId: string;
      readonly sandboxAttempt: number;
      readonly attempt: Attempt;
    }
  /**
   * Runs the hook, waits until the containers of `after` have ended, which this plan ends as well, and asks the container
   * to end; by force when `graceSeconds` are over, the hook's and the waiting time included.
   */
  | {
      readonly do: 'killContainer';
      readonly id: string;
      readonly container: string;
      readonly graceSeconds: number;
      readonly reason: KillReason;
      readonly message: string;
      readonly preStop: LifecycleHandler | undefined;
      readonly after: readonly string[];
    }
  /** Of one that runs: cpu and memory from now on. */
  | { readonly do: 'resizeContainer'; readonly id: string; readonly container: string; readonly to: Resources }
  /** The same of the pod as a whole, when its containers have what is allocated to them. `limits`: {@link podLimits}. */
  | { readonly do: 'limitPod'; readonly limits: PodLimits }
  | { readonly do: 'removeContainer'; readonly id: string }
  | { readonly do: 'stopSandbox'; readonly id: string }
  | { readonly do: 'removeSandbox'; readonly id: string }
  /** Removes volumes, logs and cgroup; only when nothing of the pod runs. */
  | { readonly do: 'cleanUp' };
