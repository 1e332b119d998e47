// A database with threads of its own, as many as there are cores.
import assert from 'node:assert/strict';
import { DuckDBInstance } from '@duckdb/node-api';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('@duckdb/node-api: a sum over millions of rows', async () => {
    const instance = await DuckDBInstance.create(':memory:', { threads: '4' });
    const connection = await instance.connect();
    await connection.run('CREATE TABLE t AS SELECT range AS id, range % 10 AS digit FROM range(2_000_000)');
    const reader = await connection.runAndReadAll(
      'SELECT digit, sum(id) FROM t GROUP BY digit ORDER BY digit',
    );
    assert.deepEqual(reader.getRows()[9], [9n, 200_000_800_000n]);
    connection.closeSync();
    instance.closeSync();
  }),
]);
