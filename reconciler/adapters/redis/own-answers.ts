/**
 * What the answers to own writes were, by version: the change stream brings the same records again, and they are neither
 * checked nor parsed twice.
 */
import type { AnyStored } from '../../../contracts/objects/index.ts';

interface Answer {
  readonly record: string;
  readonly object: AnyStored;
}

export class OwnAnswers {
  readonly #answers = new Map<string, Answer>();
  readonly #mostBytes: number;
  #bytes = 0;

  /** `mostBytes` of records at most, of those that the stream has not brought yet; the oldest are forgotten. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** A write that changed nothing is answered with the version that there was, as often as it is made. */
  put(version: string, answer: Answer): void {
    this.#remove(version);
    this.#answers.set(version, answer);
    this.#bytes += answer.record.length;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#remove(oldest);
    }
  }

  /** The object of that very record; what is known of the version is forgotten. */
  take(version: string, record: string): AnyStored | undefined {
    const known = this.#remove(version);
    return known?.record === record ? known.object : undefined;
  }

  /** A listing showed everything up to this version: the stream is read from there on, and does not bring it again. */
  listed(version: number): void {
    for (const known of [...this.#answers.keys()]) if (Number(known) <= version) this.#remove(known);
  }

  clear(): void {
    this.#answers.clear();
    this.#bytes = 0;
  }

  #remove(version: string): Answer | undefined {
    const known = this.#answers.get(version);
    if (known && this.#answers.delete(version)) this.#bytes -= known.record.length;
    return known;
  }
}
