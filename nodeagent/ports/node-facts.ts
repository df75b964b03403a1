/** What the machine tells of itself. */
export interface MachineFacts {
  readonly hostname: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly machineID: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** IPv4 addresses of its interfaces, loopback aside, in the machine's order. */
  readonly addresses: readonly { readonly device: string; readonly address: string }[];
  /** Device of the default route, or of the only route, or none. */
  readonly uplink: string | undefined;
}

export interface NodeFacts {
  read(): Promise<MachineFacts>;
  /** Resident memory of this process, bytes. */
  ownMemory(): number;
}
