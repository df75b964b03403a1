/**
 * How far back the change stream reaches: by bytes, whatever the size and number of the changes. It is cut into parts; a
 * part is full with the change that makes it {@link partBytes} long. Of the full ones the newest {@link PARTS_KEPT} stay:
 * so at least the bound is kept, and at most a part more, and nothing of it has to be read to drop the oldest.
 */

/**
 * By default: about 40,000 pods' changes, which 1,000 nodes make in half a minute while the cluster fills, and no more
 * than a small machine can spare.
 */
export const STREAM_BYTES = 64 * 2 ** 20;
export const PARTS_KEPT = 16;

/** Of a stream that keeps `streamBytes`. */
export function partBytes(streamBytes: number): number {
  return Math.ceil(streamBytes / PARTS_KEPT);
}

/** The parts of one stream. The write script of the Redis adapter does the same. */
export class StreamParts {
  /** Versions that the parts after the oldest one begin with. */
  readonly #starts: number[] = [];
  /** Of the part that is not full. */
  #bytes = 0;

  /** The change of `version` is the newest. Answers from which version on the stream goes on, where older ones go. */
  added(version: number, bytes: number, partBytes: number): number | undefined {
    this.#bytes += bytes;
    if (this.#bytes < partBytes) return undefined;
    this.#bytes = 0;
    this.#starts.push(version + 1);
    return this.#starts.length > PARTS_KEPT ? this.#starts.shift() : undefined;
  }
}
