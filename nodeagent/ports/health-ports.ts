/** Ports of this machine at which balancers ask whether it has endpoints of a Service. */

export interface HealthAnswer {
  readonly namespace: string;
  readonly service: string;
  readonly localEndpoints: number;
}

export interface HealthPorts {
  /**
   * Listens on exactly these ports, each with its answer; those that are not named are closed. A port that cannot be had
   * is in the answer, with the reason, and is tried again by the next call.
   */
  serve(answers: ReadonlyMap<number, () => HealthAnswer>): Promise<ReadonlyMap<number, string>>;
  close(): Promise<void>;
}
