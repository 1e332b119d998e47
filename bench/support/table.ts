import Table from 'cli-table3';
import { round } from './statistics.ts';

type Cell = string | number | null;

/** Prints a table in the plain style of all benchmarks. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_text, column) => (column === 0 ? 'left' : 'right')),
  });
  for (const row of rows) {
    table.push(row.map((cell) => (cell === null ? '–' : typeof cell === 'number' ? round(cell) : cell)));
  }
  console.log(`\n${title}\n${table.toString()}`);
}
