/**
 * Fingerprint of a set that grows and shrinks: the exclusive or of its members' digests, so that order does not matter.
 */
import { createHash } from 'node:crypto';

const BYTES = 16;

/** Digest of one member. */
export function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, BYTES);
}

export class SetFingerprint {
  readonly #sum = Buffer.alloc(BYTES);
  #hex: string | undefined;

  /** Adds a member that is not in the set, or takes out one that is. */
  toggle(member: Buffer): void {
    for (let i = 0; i < BYTES; i += 1) this.#sum[i] = (this.#sum[i] ?? 0) ^ (member[i] ?? 0);
    this.#hex = undefined;
  }

  /** The set after {@link toggle} of each, as another one. */
  toggled(members: readonly Buffer[]): SetFingerprint {
    const other = new SetFingerprint();
    for (const member of [this.#sum, ...members]) other.toggle(member);
    return other;
  }

  hex(): string {
    return (this.#hex ??= this.#sum.toString('hex'));
  }
}
