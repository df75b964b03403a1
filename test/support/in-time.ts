import { whenOver } from './patience.ts';

/** What must happen within a bound: a test that fails says what did not, instead of hanging. */
export async function inTime<T>(what: string, ms: number, work: Promise<T>): Promise<T> {
  let forget: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    forget = whenOver(ms, () => reject(new Error(`not within ${ms} ms: ${what}`)));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    forget?.();
  }
}
