import { setTimeout as wait } from 'node:timers/promises';
import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';
import { median, quantile } from '../support/statistics.ts';
import { BullMq } from './bullmq.ts';
import { describePostgres } from './database.ts';
import { GraphileWorker } from './graphile-worker.ts';
import { NoQueue } from './no-queue.ts';
import { PgBoss } from './pg-boss.ts';

await using postgres = await Postgres.start({ isDurable: true });
console.log(await describePostgres(postgres));
const [only = '', which = '', rounds = '1'] = process.argv.slice(2);
for (let r = 0; r < Number(rounds); r++)
  for (const peer of [
    new NoQueue(),
    new GraphileWorker(postgres),
    new PgBoss(postgres),
    new BullMq('everysec'),
    new BullMq('always'),
  ].filter((p) => p.name.includes(only))) {
    if (peer.missing()) {
      console.log(peer.missing());
      continue;
    }
    for (const scenario of peer.scenarios.filter((s) => s.includes(which))) {
      const t0 = performance.now();
      await using started = await peer.start(scenario);
      const t1 = performance.now();
      if (scenario === 'latency') {
        const times = [];
        for (let i = -20; i < 300; i++) {
          const t = await started.one();
          if (i >= 0) times.push(t);
          await wait(5);
        }
        console.log(
          peer.name,
          'p50',
          median(times).toFixed(2),
          'p99',
          quantile(times, 0.99).toFixed(2),
          'start',
          (t1 - t0).toFixed(0),
        );
      } else {
        await started.many(scenario === 'batch' ? 500 : 20);
        const n = scenario === 'batch' ? 10000 : 1000;
        const t = performance.now();
        await started.many(n);
        console.log(peer.name, scenario, ((n / (performance.now() - t)) * 1000).toFixed(0), '/s');
      }
    }
  }
