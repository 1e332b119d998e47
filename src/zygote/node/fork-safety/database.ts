import assert from 'node:assert/strict';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { inFolder, type Workload, workload } from './workload.ts';

/** node:sqlite. */
export const database: readonly Workload[] = [
  workload('a database in memory', () => {
    using database = new DatabaseSync(':memory:');
    database.function('twice', (value) => Number(value) * 2);
    database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
    const insert = database.prepare('INSERT INTO t (name) VALUES (?)');
    for (let index = 0; index < 1_000; index++) insert.run(`name ${index}`);
    assert.equal(database.prepare('SELECT twice(max(id)) AS most FROM t').get()?.most, 2_000);
  }),
  workload('a database in a file, and its backup', () =>
    inFolder(async (folder) => {
      using database = new DatabaseSync(join(folder, 'a.sqlite'));
      database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); BEGIN');
      const insert = database.prepare('INSERT INTO t VALUES (?)');
      for (let index = 0; index < 5_000; index++) insert.run(index);
      database.exec('COMMIT');
      await backup(database, join(folder, 'b.sqlite'));
      using copy = new DatabaseSync(join(folder, 'b.sqlite'));
      assert.deepEqual(
        { ...copy.prepare('SELECT count(*) AS n, sum(x) AS sum FROM t').get() },
        { n: 5_000, sum: 12_497_500 },
      );
    }),
  ),
];
