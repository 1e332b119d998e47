// A zygote that waits for runs, and has used the threadpool, sockets and child processes before, as applications do.
import { exec } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { carried } from '../carried.ts';
import { jobsOf } from '../jobs.ts';
import { workloads } from '../workloads.ts';

await writeFile('/dev/null', 'x');
await promisify(exec)('true');
await lookup('localhost');

export const jobs = jobsOf([...workloads, ...carried]);
