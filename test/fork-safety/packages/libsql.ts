// SQLite in Rust, with the interface of better-sqlite3.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import Database from 'libsql';
import { inFolder, workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('libsql: a database in a file', () =>
    inFolder((folder) => {
      const database = new Database(join(folder, 'a.sqlite'));
      database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
      const insert = database.prepare('INSERT INTO t (name) VALUES (?)');
      const insertAll = database.transaction((names: string[]) => {
        for (const name of names) insert.run(name);
      });
      insertAll(Array.from({ length: 1_000 }, (_, index) => `name ${index}`));
      const row = database.prepare('SELECT count(*) AS n, max(id) AS most FROM t').get();
      assert.partialDeepStrictEqual(row, { n: 1_000, most: 1_000 });
      database.close();
    }),
  ),
]);
