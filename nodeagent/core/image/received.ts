/** What has come of images that are being pulled, by what the runtime tells of its downloads from look to look. */

/** One part of an image on its way. */
export interface Download {
  readonly ref: string;
  /** Bytes that are here. */
  readonly received: number;
  /** 0 where that is not known. */
  readonly total: number;
}

/**
 * Bytes that came between two looks. A download that is no longer told of came to its end; what came and went between
 * two looks is not seen, so this is a lower bound.
 */
export function receivedBetween(before: readonly Download[], now: readonly Download[]): number {
  const past = new Map(before.map((one) => [one.ref, one]));
  let bytes = 0;
  for (const { ref, received } of now) {
    bytes += Math.max(0, received - (past.get(ref)?.received ?? 0));
    past.delete(ref);
  }
  for (const { received, total } of past.values()) bytes += Math.max(0, total - received);
  return bytes;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0 B`, `1.5 KiB`, `45.0 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length);
  return `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power - 1]}`;
}
