import { plainLine } from '../core/plain-text.ts';

/** A cell of more than that would push all others out of sight. */
const MAX_CELL = 300;

/** Columns as wide as their longest cell, as kubectl prints them. */
export function renderTable(head: string[], rows: string[][]): string {
  const lines = [head, ...rows.map((row) => row.map((cell) => plainLine(cell, MAX_CELL)))];
  const widths = head.map((_cell, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
