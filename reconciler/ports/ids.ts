/** Randomness, as the I/O edge hands it to decisions. */
export interface Ids {
  /** RFC 9562 version 4 UUID. */
  uid(): string;
  /** `length` characters of Kubernetes' safe alphabet (no vowels, no 0, 1, 3), for generated names. */
  suffix(length: number): string;
}
