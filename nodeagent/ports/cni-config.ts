/** The one CNI configuration file that is ours. */

export interface CniConfigFile {
  /** The file's text; undefined where there is none. */
  read(signal: AbortSignal): Promise<string | undefined>;
  /** Replaces the file in one step: a reader sees the old text or the new, never a part. */
  write(text: string, signal: AbortSignal): Promise<void>;
  /** Removes the file, and no other; nothing happens where there is none. */
  remove(signal: AbortSignal): Promise<void>;
  /** Where pods' addresses are noted. */
  readonly dataDir: string;
  /**
   * Removes what CNI's portmap plugin left in iptables for pods of our network: such rules go on after their pods, and
   * come before ours. Those of other networks stay. Nothing happens where there are none, or no iptables.
   */
  removePortMappings(signal: AbortSignal): Promise<void>;
}
