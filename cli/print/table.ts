/** Columns as kubectl prints them: upper-case headings, three spaces between, no lines. */
import { visible } from './terminal.ts';

/** Rows under headings; every cell is padded to its column's widest. The last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows].map((row) => row.map(oneLine));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** Text from elsewhere in one line, as it will be shown: its length is its width. */
function oneLine(text: string): string {
  return visible(text.replace(/\s+/g, ' '));
}

/** Time between two moments as kubectl writes ages: `12s`, `5m`, `3h`, `9d`. */
export function age(from: string | undefined, now: Date): string {
  const at = Date.parse(from ?? '');
  if (Number.isNaN(at)) return '<unknown>';
  const seconds = Math.max(0, Math.floor((now.getTime() - at) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** A commit id as people write it. */
export function short(sha: string | undefined): string {
  return sha === undefined ? '<none>' : sha.slice(0, 12);
}
