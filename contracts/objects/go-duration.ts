/** Durations as Go writes and reads them (`metav1.Duration`): `2160h`, `1h30m`, `2160h0m0s`. Source: Go, time.ParseDuration. */
import { z } from 'zod';

/** The longest unit first: `ms` begins as `m` does. */
const PART = /(\d{1,12}(?:\.\d{1,9})?)(ms|h|m|s)/g;
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]);

/** Without a sign, and at most a hundred years. */
export const GoDuration = z
  .string()
  .max(64, 'must be no more than 64 characters')
  .regex(/^(\d{1,12}(\.\d{1,9})?(h|m|s|ms)){1,4}$/, 'must be a duration such as 2160h or 1h30m')
  .refine((text) => goDurationMs(text) <= 100 * 365 * 24 * 3_600_000, 'must be at most 100 years');

/** Milliseconds of a text that {@link GoDuration} takes. */
export function goDurationMs(text: string): number {
  let ms = 0;
  for (const [, number, unit = ''] of text.matchAll(PART)) ms += Number(number) * (UNIT_MS.get(unit) ?? 0);
  return ms;
}
