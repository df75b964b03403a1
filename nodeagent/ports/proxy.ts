/** The proxy of a gateway node, as the loop needs it. The words of its configuration are core/proxy's. */
import type { ProxyPlaces } from '../core/proxy/render.ts';
import type { RunningServer } from '../core/proxy/slots.ts';

/** All that a configuration is read from: texts by name, in one folder. */
export interface ProxyFiles {
  readonly config: string;
  /** Maps and lists. */
  readonly files: ReadonlyMap<string, string>;
  /** Certificates with their keys: kept in memory alone, for the owner's eyes. */
  readonly certificates: ReadonlyMap<string, string>;
}

export interface RunningProxy {
  readonly edition: string;
  readonly ports: readonly number[];
  /** By section, each at its place. */
  readonly servers: ReadonlyMap<string, readonly RunningServer[]>;
}

export type LoadOutcome =
  | { readonly ok: true }
  /** `complaints`: as the program says them, a line each. What ran before runs on. */
  | { readonly ok: false; readonly complaints: string };

export interface Proxy {
  readonly places: ProxyPlaces;
  /** The user of its own that it runs as, by number; undefined where it has none. */
  readonly user: number | undefined;
  /** Undefined when the program is there; else what to do about it. */
  missing(signal: AbortSignal): Promise<string | undefined>;
  /** Cheap: whether a process of ours is there. */
  isAlive(): Promise<boolean>;
  /** What runs, whoever started it; undefined when nothing does or it does not answer. */
  running(signal: AbortSignal): Promise<RunningProxy | undefined>;
  /**
   * Has the program check the configuration, and take it: started when none runs, else without a connection or request
   * lost. Resolves once the configuration of this edition is in force, or will not be.
   */
  load(edition: string, files: ProxyFiles, signal: AbortSignal): Promise<LoadOutcome>;
  /** Gives commands to the process of that edition. Throws an Error with what it said against one. */
  command(edition: string, commands: readonly string[], signal: AbortSignal): Promise<void>;
  /** Puts another certificate in place of one that is in force. What the process says where it does not take it. */
  replaceCertificate(file: string, pem: string, signal: AbortSignal): Promise<string | undefined>;
  /** Whether nobody listens on a TCP port of the machine. */
  isFree(port: number): Promise<boolean>;
  /** Whether the machine has the address. */
  hasAddress(address: string): Promise<boolean>;
  /** Requests under way end; no new ones are taken. Nothing happens where none runs. */
  stop(): Promise<void>;
}
