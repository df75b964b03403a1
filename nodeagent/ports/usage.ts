/** What the machine and its containers take of cpu and memory. */

/** One running container of ours, as the runtime counted it. */
export interface MeasuredContainer {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  /** When it was counted, by the wall: milliseconds since 1970. */
  readonly at: number;
  /** Since it started. */
  readonly cpuNanoseconds: number;
  /** Working set. */
  readonly memoryBytes: number;
}

export interface MachineUse {
  /** All processors together, since boot. */
  readonly cpuNanoseconds: number;
  /** Working set. */
  readonly memoryBytes: number;
}

export interface UsageMeter {
  /** Containers without a process have no counters, and are not among them. Failures are a RuntimeError. */
  containers(signal: AbortSignal): Promise<readonly MeasuredContainer[]>;
  /** Throws an Error where the kernel does not tell. */
  machine(): Promise<MachineUse>;
}
