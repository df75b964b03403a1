/** The one place that reads why a program failed. */

/** Lines that tell something: nft repeats the offending line and underlines it. */
const ERROR_LINE = /(?:^|:\s)(?:internal:\d+:\d+-\d+:\s)?Error: (.+)$/;

/** One sentence: the first error, and how many more there were. */
export function explainNftFailure(code: number | null, stderr: string): string {
  const errors = stderr.split('\n').flatMap((line) => ERROR_LINE.exec(line)?.[1] ?? []);
  const [first] = errors;
  if (first === undefined)
    return `nft ended with ${code === null ? 'a signal' : `code ${code}`}: ${stderr.trim().slice(0, 500) || 'it said nothing'}`;
  const at = stderr.split('\n').findIndex((line) => ERROR_LINE.test(line));
  const offender = stderr.split('\n')[at + 1]?.trim().slice(0, 200);
  return `nft refused: ${first}${offender ? ` in "${offender}"` : ''}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''}`;
}

export function isNoSuchTable(stderr: string): boolean {
  return stderr.includes('No such file or directory');
}

/** EBUSY: something still refers to what was to be removed. */
export function isInUse(stderr: string): boolean {
  return stderr.includes('Device or resource busy');
}
