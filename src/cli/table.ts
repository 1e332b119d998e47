import { stripVTControlCharacters } from 'node:util';

/** Between two columns. */
export const GAP = 3;

/** Rows under headings in aligned columns without borders, as `docker ps` prints them. Cells may be coloured. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    rows.reduce((widest, row) => Math.max(widest, width(row[column] ?? '')), heading.length),
  );
  return [headings, ...rows].map((row) => line(row, widths)).join('\n');
}

/** Names and values, one pair a line. */
export function properties(pairs: readonly (readonly [string, string])[]): string {
  const widest = pairs.reduce((most, [name]) => Math.max(most, width(name)), 0);
  return pairs.map((pair) => line(pair, [widest, 0])).join('\n');
}

export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`;
}

/** So much of a line as a terminal of so many columns shows of it; its colours do not count. */
export function clip(line: string, columns: number): string {
  let left = columns;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: SGR, as styleText writes it
  return line.replace(/\u001b\[[0-9;]*m|./gsu, (part) =>
    part.startsWith('\u001b') || left-- > 0 ? part : '',
  );
}

function line(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map(
    (cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))),
  );
  return padded.join(' '.repeat(GAP)).trimEnd();
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
