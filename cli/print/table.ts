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
