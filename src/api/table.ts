import type { TSchema } from 'typebox';
import { type Operation, operations } from './operations.ts';

const [BEGIN, END] = ['<!-- operations: npm run schemas -->', '<!-- /operations -->'];

/** The operations as a table of Markdown. */
export function operationTable(): string {
  const rows = Object.entries<Operation>(operations).map(
    ([id, { method, path, role, summary, query, body }]) => {
      const keys = [...keysOf(query, '?'), ...(body === null ? [] : keysOf(body, ''))];
      return `| \`${id}\` | \`${method} ${path}\` | ${role ?? '–'} | ${summary} | ${keys.map((key) => `\`${key}\``).join(' ')} |`;
    },
  );
  return ['| operation | request | role | | keys |', '|---|---|---|---|---|', ...rows].join('\n');
}

function keysOf(schema: TSchema, mark: string): string[] {
  const { properties = {} } = schema as { readonly properties?: Readonly<Record<string, unknown>> };
  return Object.keys(properties).map((key) => `${mark}${key}`);
}

/** The page with this table in its place. */
export function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no place for the table: ${BEGIN} … ${END}`);
  return `${page.slice(0, begin)}${BEGIN}\n${table}\n${page.slice(end)}`;
}
