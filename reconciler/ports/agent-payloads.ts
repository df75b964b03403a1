/** What is pushed to a machine: the agent's one file and the Node.js it runs on. */
import type { Readable } from 'node:stream';

export type NodeArch = 'x64' | 'arm64';

export interface AgentPayload {
  readonly arch: NodeArch;
  readonly bundle: Buffer;
  /** SHA-256 of the bundle, hex. */
  readonly bundleHash: string;
  /** SHA-256 of the runtime's executable, hex. */
  readonly runtimeHash: string;
  /** Where the executable lies on this machine. */
  readonly runtimePath: string;
  /** The executable, as it is or compressed. A new stream at every call. */
  runtime(form: 'plain' | 'gzip'): Readable;
}

export interface AgentPayloads {
  /** TerminalError `RuntimeUnavailable` or `BundleMissing` when there is none and it cannot be fetched. */
  get(arch: NodeArch, signal: AbortSignal): Promise<AgentPayload>;
}
