// A pool of worker threads.
import assert from 'node:assert/strict';
import { Piscina } from 'piscina';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('piscina: a pool of threads', async () => {
    const pool = new Piscina({ filename: new URL('./square.mjs', import.meta.url).href, maxThreads: 3 });
    const parts = Array.from({ length: 12 }, (_, index) => ({
      from: index * 1_000,
      to: (index + 1) * 1_000,
    }));
    const sums: number[] = await Promise.all(parts.map((part) => pool.run(part)));
    assert.equal(
      sums.reduce((all, each) => all + each),
      575_928_002_000,
    );
    await pool.destroy();
  }),
]);
