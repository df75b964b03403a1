/**
 * Fingerprint of a set that grows and shrinks: the exclusive or of its members' digests, so that order does not matter.
 */
import { createHash } from 'node:crypto';

const BYTES = 16;

/** Digest of one member, each character a byte: of the many that are kept, a text takes a fifth of what a Buffer does. */
export type MemberDigest = string;

export function digest(text: string): MemberDigest {
  return createHash('sha256').update(text).digest().toString('latin1', 0, BYTES);
}

export class SetFingerprint {
  readonly #sum = Buffer.alloc(BYTES);
  #hex: string | undefined;

  /** Adds a member that is not in the set, or takes out one that is. */
  toggle(member: MemberDigest): void {
    for (let i = 0; i < BYTES; i += 1) this.#sum[i] = (this.#sum[i] ?? 0) ^ member.charCodeAt(i);
    this.#hex = undefined;
  }

  /** The set after {@link toggle} of each, as another one. */
  toggled(members: readonly MemberDigest[]): SetFingerprint {
    const other = new SetFingerprint();
    other.#sum.set(this.#sum);
    for (const member of members) other.toggle(member);
    return other;
  }

  hex(): string {
    return (this.#hex ??= this.#sum.toString('hex'));
  }
}
