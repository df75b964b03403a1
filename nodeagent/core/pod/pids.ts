/**
 * How many processes and threads pods may have. Source of the mechanism: Kubernetes documentation, "Process ID Limits
 * And Reservations" (`podPidsLimit`); there the default is no limit.
 */

export interface MachinePids {
  /** `kernel.pid_max` and `kernel.threads-max`: whichever is reached first ends all forks on the machine. */
  readonly pidMax: number;
  readonly threadsMax: number;
}

/** More than programs with thousands of connections have; 64 of them are a large machine's. */
const MOST_OF_A_POD = 4096;

/**
 * `pods`: of all together, so that the machine keeps a quarter for itself. `pod`: of one, at most a quarter of that.
 */
export function pidsLimits({ pidMax, threadsMax }: MachinePids): { readonly pods: number; readonly pod: number } {
  const pods = Math.floor((Math.min(pidMax, threadsMax) * 3) / 4);
  return { pods, pod: Math.min(MOST_OF_A_POD, Math.floor(pods / 4)) };
}
