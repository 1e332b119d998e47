import { DatabaseSync } from 'node:sqlite';

const open = () => {
  const database = new DatabaseSync(`${process.env.SCRATCH}/node.sqlite`, { timeout: 10_000 });
  database.exec('CREATE TABLE IF NOT EXISTS tries (n INTEGER)');
  return database;
};
let database = process.env.TRY === 'lazy' ? null : open();

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => database.close() : undefined;
export const afterFork = hooks
  ? () => {
      database = open();
    }
  : undefined;

class Try {
  run({ n }) {
    database ??= open();
    database.prepare('INSERT INTO tries VALUES (?)').run(n);
    return { n: database.prepare('SELECT n FROM tries WHERE n = ?').get(n).n };
  }
}
export const jobs = { Try };
