/** The one CNI configuration file that is ours. */

export interface CniConfigFile {
  /** The file's text; undefined where there is none. */
  read(signal: AbortSignal): Promise<string | undefined>;
  /** Replaces the file in one step: a reader sees the old text or the new, never a part. */
  write(text: string, signal: AbortSignal): Promise<void>;
  /** Where pods' addresses are noted. */
  readonly dataDir: string;
  /** Whether the portmap plugin could work here: it programs iptables. */
  canMapPorts(signal: AbortSignal): Promise<boolean>;
}
