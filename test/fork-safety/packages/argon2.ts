// Hashes in the threadpool, each with threads of its own (parallelism).
import assert from 'node:assert/strict';
import argon2 from 'argon2';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('argon2: passwords', async () => {
    const options = { memoryCost: 4096, timeCost: 2, parallelism: 4 };
    const hashes = await Promise.all([1, 2, 3].map(() => argon2.hash('a password', options)));
    assert.equal(new Set(hashes).size, 3, 'each has its own salt');
    for (const hash of hashes) assert.equal(await argon2.verify(hash, 'a password'), true);
    assert.equal(await argon2.verify(hashes[0] ?? '', 'another'), false);
  }),
]);
