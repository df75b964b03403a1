/** Logs of several containers in one stream of output: whole lines, each with whose it is where that is asked for. */

/** A line that is longer is passed on in parts. */
const LONGEST_LINE = 64 * 1024;

/** Of one container. Answers what of the bytes so far can be shown; `end` gives the rest. */
export class LogLines {
  readonly #prefix: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #isNewLine = true;

  /** In front of every line; may be empty. */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix);
  }

  take(chunk: Buffer): Buffer {
    const bytes = Buffer.concat([this.#held, chunk]);
    const end = bytes.length > LONGEST_LINE ? bytes.length : bytes.lastIndexOf(0x0a) + 1;
    this.#held = bytes.subarray(end);
    return this.#shown(bytes.subarray(0, end));
  }

  /** The last line, with an end where it has none: what comes next is another container's. */
  end(): Buffer {
    const rest = this.#shown(this.#held);
    this.#held = Buffer.alloc(0);
    return this.#isNewLine ? rest : Buffer.concat([rest, Buffer.from('\n')]);
  }

  #shown(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const feed = bytes.indexOf(0x0a, at);
      const end = feed < 0 ? bytes.length : feed + 1;
      if (this.#isNewLine) parts.push(this.#prefix);
      parts.push(bytes.subarray(at, end));
      this.#isNewLine = feed >= 0;
      at = end;
    }
    return Buffer.concat(parts);
  }
}
