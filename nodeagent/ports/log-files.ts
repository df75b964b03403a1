/** Containers' logs in the runtime's format, as files that are written to and renamed under the reader. */
export interface LogRead {
  readonly path: string;
  /** Last lines only; all when absent. */
  readonly tail: number | undefined;
  /** Goes on with what is written later, until the signal aborts or `over` says so with nothing left to read. */
  readonly follow: { over(): boolean } | undefined;
}
export interface LogFiles {
  /**
   * Raw lines without their ends, a batch of at most 64 KiB at a time, or one longer line: its parts where it is longer
   * than 256 KiB. What is not there, or is no regular file, reads as empty.
   */
  read(request: LogRead, signal: AbortSignal): AsyncIterable<readonly string[]>;
  /** Bytes; undefined where there is none. */
  size(path: string): Promise<number | undefined>;
  /** Renames the file to `.1`, older ones one up, and drops what is beyond `keep` files. */
  rotate(path: string, keep: number): Promise<void>;
}
