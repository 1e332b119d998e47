import { BullMq } from './bullmq.ts';
import type { Databases } from './database.ts';
import { GraphileWorker } from './graphile-worker.ts';
import { NoQueue } from './no-queue.ts';
import type { Peer } from './peer.ts';
import { PgBoss } from './pg-boss.ts';
import { RocksyProcesses, RocksySimulated } from './rocksy.ts';

/** The rows of the table. */
export function allPeers(databases: Databases): Peer[] {
  return [
    new RocksySimulated(databases),
    new RocksyProcesses(databases),
    new GraphileWorker(databases),
    new PgBoss(databases),
    new BullMq('everysec'),
    new BullMq('always'),
    new NoQueue(),
  ];
}
