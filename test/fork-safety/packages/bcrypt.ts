// Hashes in the threadpool.
import assert from 'node:assert/strict';
import bcrypt from 'bcrypt';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('bcrypt: passwords', async () => {
    const hashes = await Promise.all([1, 2, 3, 4].map(() => bcrypt.hash('a password', 6)));
    assert.equal(new Set(hashes).size, 4, 'each has its own salt');
    for (const hash of hashes) assert.equal(await bcrypt.compare('a password', hash), true);
    assert.equal(bcrypt.compareSync('another', bcrypt.hashSync('a password', 4)), false);
  }),
]);
