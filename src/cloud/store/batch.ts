import { type RawBuilder, sql } from 'kysely';
import type { Access } from './access.ts';

/** A column of a batch: its name in the database, and what it holds. */
export type Columns<Name extends string> = Readonly<Record<Name, 'text' | 'bigint'>>;

export type RowOf<Name extends string> = Readonly<Record<Name, string | number | null>>;

/**
 * Rows as a table `c` of one statement with one parameter, however many they are: a text that the database parses. So a
 * statement is prepared once, and a batch costs one round trip.
 */
export function rowsOf<Name extends string>(
  { engine }: Access,
  columns: Columns<Name>,
  rows: readonly RowOf<Name>[],
): RawBuilder<unknown> {
  const names = Object.entries<'text' | 'bigint'>(columns);
  const json = JSON.stringify(rows);
  if (engine.kind === 'postgres') {
    const typed = sql.raw(names.map(([name, type]) => `${name} ${type}`).join(', '));
    return sql`json_to_recordset(${json}::json) AS c(${typed})`;
  }
  const typed = sql.raw(names.map(([name]) => `value ->> '${name}' AS ${name}`).join(', '));
  return sql`(SELECT ${typed} FROM json_each(${json})) AS c`;
}

export function namesOf<Name extends string>(columns: Columns<Name>): readonly Name[] {
  return Object.keys(columns) as Name[];
}

/** `a, b, c`, each with a prefix. */
export function listOf(names: readonly string[], prefix = ''): RawBuilder<unknown> {
  return sql.raw(names.map((name) => `${prefix}${name}`).join(', '));
}
