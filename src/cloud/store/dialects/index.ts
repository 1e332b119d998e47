// The two databases that the store can stand on, SQLite and PostgreSQL, behind one interface with all their differences.
// For store and aggregates, which ask an Engine instead of asking which one it is.
// Must not know any table.
export type { Engine } from './engine.ts';
export { postgresEngine } from './postgres.ts';
export { PREPARED } from './prepared.ts';
export { sqliteEngine } from './sqlite.ts';
